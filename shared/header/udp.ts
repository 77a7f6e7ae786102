/** UDP (RFC 768). */
export const UDP = { SOURCE_PORT: 0, TARGET_PORT: 2, LENGTH: 4, CHECKSUM: 6, SIZE: 8 } as const;
