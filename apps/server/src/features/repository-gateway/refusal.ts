import { AppError } from '@backupx/contracts/errors';

/** An error with the status that restic's protocol wants for it, where that is not the catalogue's. */
export class Refusal extends Error {
  readonly status: number;
  readonly error: AppError;

  constructor(status: number, error: AppError) {
    super(error.message, { cause: error });
    this.name = 'Refusal';
    this.status = status;
    this.error = error;
  }
}

/** What is wrong with one part of the request, as INVALID_INPUT with the given status. */
export function refuse(status: number, problem: { path: string; code: string; message: string }): Refusal {
  return new Refusal(status, new AppError('INVALID_INPUT', {}, { fields: [problem] }));
}
