/**
 * The error catalogue: every failure a user, script or agent can meet has one code, in `error-catalog/`.
 *
 * HTTP status, exit code of the command line, translation key and the anchor in `docs/errors.md`
 * all derive from the code. Throw `new AppError('NODE_OFFLINE', { node: name }, { cause })`; only the
 * three mappers (server/http, cli, web/api) turn it into something a person reads.
 */
import { binlogErrors } from './error-catalog/binlogs.ts';
import { controlPlaneErrors } from './error-catalog/control-plane.ts';
import { dataPlaneErrors } from './error-catalog/data-plane.ts';
import { databaseErrors } from './error-catalog/databases.ts';
import type { ErrorDefinition } from './error-catalog/define.ts';

export type { ErrorDefinition } from './error-catalog/define.ts';

export const errorCatalog = {
  ...controlPlaneErrors,
  ...dataPlaneErrors,
  ...databaseErrors,
  ...binlogErrors,
} as const satisfies Record<string, ErrorDefinition>;

export type ErrorCode = keyof typeof errorCatalog;

/** True when `code` is in the catalogue. */
export function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === 'string' && Object.hasOwn(errorCatalog, code);
}

export type ErrorParams = Readonly<Record<string, string | number>>;

/** One field that did not validate. `path` is dotted (`storageTargetIds.0`), `code` is stable, `message` is English. */
export interface FieldProblem {
  readonly path: string;
  readonly code: string;
  readonly message: string;
}

/** Fills `{name}` placeholders; unknown names stay as they are so that a mistake is visible. */
export function fillTemplate(template: string, params: ErrorParams): string {
  return template.replace(/\{(\w+)\}/g, (whole, name: string) => (name in params ? String(params[name]) : whole));
}

export interface AppErrorOptions {
  readonly cause?: unknown;
  readonly fields?: readonly FieldProblem[];
}

/** The only error class that crosses a module border on purpose. */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly params: ErrorParams;
  readonly fields: readonly FieldProblem[];

  constructor(code: ErrorCode, params: ErrorParams = {}, options: AppErrorOptions = {}) {
    super(fillTemplate(errorCatalog[code].message, params), { cause: options.cause });
    this.name = 'AppError';
    this.code = code;
    this.params = params;
    this.fields = options.fields ?? [];
  }

  get definition(): ErrorDefinition {
    return errorCatalog[this.code];
  }

  get status(): number {
    return this.definition.status;
  }

  get retryable(): boolean {
    return this.definition.retryable;
  }

  get hint(): string {
    return fillTemplate(this.definition.hint, this.params);
  }

  /** Plain data for a thread or process border; `AppError.fromJSON` is the way back. */
  toJSON(): AppErrorData {
    return { code: this.code, params: this.params, fields: this.fields };
  }

  static fromJSON(data: AppErrorData): AppError {
    return new AppError(data.code, data.params, { fields: data.fields });
  }
}

export interface AppErrorData {
  readonly code: ErrorCode;
  readonly params: ErrorParams;
  readonly fields?: readonly FieldProblem[];
}

/** Returns `error` itself when it is an AppError, otherwise one that carries it as its cause. */
export function toAppError(error: unknown, fallback: ErrorCode = 'INTERNAL', params: ErrorParams = {}): AppError {
  if (error instanceof AppError) return error;
  return new AppError(fallback, params, { cause: error });
}
