/** What dispatch needs of a logger; pino fits. */
export interface DispatchLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Throws everything away; for tests. */
export const silentLog: DispatchLog = { info() {}, warn() {}, error() {} };
