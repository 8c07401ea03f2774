/** The only place that turns a failure into an HTTP answer. */
import type { ErrorAnswer } from '@backupx/contracts/define-route';
import { errorMessagesZhCn } from '@backupx/contracts/error-messages.zh-cn';
import { AppError, type ErrorCode, fillTemplate } from '@backupx/contracts/errors';
import type { FastifyReply, FastifyRequest } from 'fastify';

export type Language = 'en' | 'zh-CN';

/** Picks the language with the highest weight in `Accept-Language`; English when none is ours. */
export function chooseLanguage(header: string | undefined): Language {
  let best: { language: Language; weight: number } = { language: 'en', weight: 0 };
  for (const part of (header ?? '').slice(0, 500).split(',')) {
    const [tag = '', ...options] = part.trim().toLowerCase().split(';');
    const language = tag.startsWith('zh') ? 'zh-CN' : tag.startsWith('en') ? 'en' : null;
    const quality = options.map((option) => option.trim()).find((option) => option.startsWith('q='));
    const weight = quality ? Number(quality.slice(2)) || 0 : 1;
    if (language && weight > best.weight) best = { language, weight };
  }
  return best.language;
}

/** Codes of the HTTP framework that have a place in our catalogue. */
const frameworkCodes: Readonly<Record<string, ErrorCode>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'BODY_TOO_LARGE',
  FST_ERR_CTP_INVALID_JSON_BODY: 'MALFORMED_JSON',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'MALFORMED_JSON',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'MALFORMED_JSON',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'MALFORMED_JSON',
  FST_ERR_BAD_URL: 'ROUTE_NOT_FOUND',
  FST_ERR_NOT_FOUND: 'ROUTE_NOT_FOUND',
};

/** An AppError for anything that was thrown; unknown things are INTERNAL with the thrown value as cause. */
export function asAppError(error: unknown, requestId: string): AppError {
  if (error instanceof AppError && error.code !== 'INTERNAL') return error;
  const { code, statusCode } = error as { code?: unknown; statusCode?: unknown };
  const known = typeof code === 'string' ? frameworkCodes[code] : undefined;
  if (known) return new AppError(known, {}, { cause: error });
  if (!(error instanceof AppError) && typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500) {
    return new AppError('INVALID_INPUT', {}, { cause: error });
  }
  return new AppError('INTERNAL', { requestId }, { cause: error });
}

/** Body of an error answer. */
export function errorAnswer(error: AppError, requestId: string, language: Language): ErrorAnswer {
  const translated = language === 'zh-CN' ? errorMessagesZhCn[error.code] : undefined;
  const hint = translated ? fillTemplate(translated.hint, error.params) : error.hint;
  return {
    code: error.code,
    message: translated ? fillTemplate(translated.message, error.params) : error.message,
    // A placeholder without a value tells the reader nothing.
    ...(hint && !/\{\w+\}/.test(hint) ? { hint } : {}),
    requestId,
    ...(error.fields.length > 0 ? { fields: error.fields } : {}),
  };
}

/** Logs the failure as loud as it deserves and answers it. */
export function sendError(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const failure = asAppError(error, request.id);
  if (failure.status >= 500) request.log.error({ err: error }, failure.message);
  else request.log.debug({ code: failure.code, err: failure.cause }, failure.message);
  const retryAfter = failure.params.retryAfterSeconds;
  if (failure.code === 'RATE_LIMITED' && retryAfter !== undefined) reply.header('retry-after', String(retryAfter));
  // The rest of a refused upload would otherwise be read to its end.
  if (request.routeOptions?.config?.rawBody) reply.header('connection', 'close');
  return reply
    .code(failure.status)
    .type('application/json; charset=utf-8')
    .send(errorAnswer(failure, request.id, chooseLanguage(request.headers['accept-language'])));
}
