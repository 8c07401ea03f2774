import { type Logger, pino } from 'pino';

export type AgentLogger = Logger;

/** Structured log lines on stderr-safe stdout; anything that may hold a secret is replaced before it is written. */
export function createLogger(token: string, destination?: { write(line: string): void }): AgentLogger {
  const hide = (text: string) => (token === '' ? text : text.replaceAll(token, '[token]'));
  const options = {
    name: 'backupx-agent',
    base: undefined,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: {
      paths: ['token', '*.token', 'config', '*.config', 'headers', '*.headers', 'password', '*.password', 'dbPassword'],
      censor: '[hidden]',
    },
    hooks: { streamWrite: hide },
  };
  return destination ? pino(options, destination) : pino(options);
}
