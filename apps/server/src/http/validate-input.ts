/** Checks path, query and body of a request against its contract. */
import type { RouteContract } from '@backupx/contracts/define-route';
import { AppError, type FieldProblem } from '@backupx/contracts/errors';
import { z } from 'zod';

export interface RequestParts {
  readonly params: unknown;
  readonly query: unknown;
  readonly body: unknown;
}

const problemOf = (issue: z.core.$ZodIssue): FieldProblem => ({
  path: issue.path.map(String).join('.'),
  code: issue.code ?? 'invalid',
  message: issue.message,
});

/** A part the contract does not mention is not looked at: agents and scripts may send `{}` or nothing. */
function check(schema: z.ZodType, value: unknown, problems: FieldProblem[]): unknown {
  if (schema instanceof z.ZodUndefined) return undefined;
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  problems.push(...result.error.issues.map(problemOf));
  return undefined;
}

/** Answers the parsed parts, or throws INVALID_INPUT that names every wrong field at once. */
export function validateInput(contract: RouteContract, request: RequestParts): RequestParts {
  const problems: FieldProblem[] = [];
  const parsed = {
    params: check(contract.params, request.params, problems),
    query: check(contract.query, request.query ?? {}, problems),
    body: contract.bodyLimit === 'raw' ? undefined : check(contract.body, request.body, problems),
  };
  if (problems.length > 0) throw new AppError('INVALID_INPUT', {}, { fields: problems.slice(0, 100) });
  return parsed;
}
