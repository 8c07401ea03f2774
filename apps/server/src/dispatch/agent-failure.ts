import { AppError, type ErrorCode, type ErrorParams, errorCatalog, isErrorCode } from '@backupx/contracts/errors';
import type { RunFailure } from './ports.ts';

/**
 * Reads the params of a catalogue error back from its text: agents send the code and the English message only, and the
 * reader shall get hint and translation all the same. Null when the text does not fit the code.
 */
export function paramsFromMessage(code: ErrorCode, message: string): ErrorParams | null {
  const { message: template, hint } = errorCatalog[code];
  const names: string[] = [];
  const pattern = template
    .split(/\{(\w+)\}/)
    .map((part, index) => {
      if (index % 2 === 0) return part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
      names.push(part);
      return '(.*?)';
    })
    .join('');
  const found = new RegExp(`^${pattern}$`, 's').exec(message);
  if (!found) return null;
  const params = Object.fromEntries(names.map((name, index) => [name, found[index + 1] ?? '']));
  const isComplete = [...hint.matchAll(/\{(\w+)\}/g)].every(([, name = '']) => name in params);
  return isComplete ? params : null;
}

/** Why a run on an agent failed, in our words where they fit, otherwise in the agent's. */
export function agentFailure(node: string, message: string, code?: string): RunFailure {
  if (isErrorCode(code)) {
    const params = paramsFromMessage(code, message);
    if (params) return { code, params, message: new AppError(code, params).message };
  }
  return { code: 'AGENT_FAILED', params: { node, reason: message }, message };
}
