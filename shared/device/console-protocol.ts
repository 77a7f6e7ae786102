/**
 * Standard input that may be under way or wait for the program: a sender counts what it sent and subtracts each
 * {"taken": n}. So a program that does not read holds back its input alone, and a signal still comes through.
 */
export const INPUT_WINDOW_BYTES = 262_144;
/** First octet of a console's binary messages (console.ts says what else is spoken). */
export const STREAM_STDOUT = 1;
export const STREAM_STDERR = 2;
