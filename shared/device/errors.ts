/**
 * What can go wrong when a person or a tool speaks to a device or to the gateway: one table, each with its HTTP status.
 * `code` is for programs, the message for people; the same pair travels in HTTP answers and in socket messages.
 */
export const EMU_ERRORS = {
  EMU_TOKEN: 401,
  EMU_ORIGIN: 403,
  EMU_NO_SUCH_PATH: 404,
  EMU_NO_DEVICE: 404,
  EMU_NO_PORT: 404,
  EMU_NO_WIRE: 404,
  EMU_NO_PROGRAM: 404,
  EMU_NOT_WIRED: 409,
  EMU_DEVICE_DOWN: 409,
  EMU_DEVICE_UP: 409,
  EMU_NO_SUPERVISOR: 409,
  EMU_BAD_REQUEST: 400,
  EMU_BAD_FILE: 400,
  EMU_FAILED: 502,
  EMU_LAB_DOWN: 503,
  EMU_TIMEOUT: 504,
  EMU_TOO_MANY: 429,
  EMU_INTERNAL: 500,
} as const;

export type EmuCode = keyof typeof EMU_ERRORS;

export class EmuError extends Error {
  readonly code: EmuCode;
  readonly statusCode: number;
  /** More for programs: the closest known name, the device that failed. */
  readonly details: Readonly<Record<string, string>>;

  constructor(code: EmuCode, message: string, details: Readonly<Record<string, string>> = {}) {
    super(message);
    this.name = 'EmuError';
    this.code = code;
    this.statusCode = EMU_ERRORS[code];
    this.details = details;
  }
}

/** As it travels. */
export interface EmuErrorBody {
  readonly code: EmuCode;
  readonly message: string;
  readonly details: Readonly<Record<string, string>>;
}

export function bodyOf(error: unknown): EmuErrorBody {
  if (error instanceof EmuError) return { code: error.code, message: error.message, details: error.details };
  const status = (error as { statusCode?: number }).statusCode;
  const message = error instanceof Error ? error.message : String(error);
  if (status !== undefined && status < 500) return { code: 'EMU_BAD_REQUEST', message, details: {} };
  return { code: 'EMU_INTERNAL', message, details: {} };
}
