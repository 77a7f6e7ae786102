/** First octet of a console's binary messages (console.ts says what else is spoken). */
export const STREAM_STDOUT = 1;
export const STREAM_STDERR = 2;
