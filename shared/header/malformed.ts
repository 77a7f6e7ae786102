/** What a parser answers when bytes are not what they claim to be. Bad bytes are an answer, never an exception. */
export interface Malformed {
  readonly malformed: string;
}

/** `reason` is a word of the drop list where one fits (`ip_header_too_short`), so that the caller can drop by it. */
export function malformed(reason: string): Malformed {
  return { malformed: reason };
}

export function isMalformed(value: object): value is Malformed {
  return 'malformed' in value;
}
