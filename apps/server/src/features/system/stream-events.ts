/** The event bus as a stream of server-sent events. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { EventBus, StampedEvent } from '../../event-bus.ts';
import { openEventStream } from '../../http/event-stream.ts';

/**
 * Sends what the listener missed since `Last-Event-ID` (or `?lastEventId=`), then everything new. When some of it is
 * gone (or the server was restarted), it says `reload` first: the console then fetches its lists anew.
 */
export function streamEvents(bus: EventBus, request: FastifyRequest, reply: FastifyReply): undefined {
  const query = request.query as Record<string, unknown>;
  const given = request.headers['last-event-id'] ?? query.lastEventId;
  const lastId = typeof given === 'string' && /^\d{1,15}$/.test(given) ? Number(given) : null;
  const stream = openEventStream(reply);
  const send = ({ id, event }: StampedEvent) => stream.send({ id, data: event });

  // Nothing is published between these two lines, since both run in one go.
  const missed = lastId === null ? [] : bus.since(lastId);
  const unsubscribe = bus.subscribe(send);
  stream.signal.addEventListener('abort', unsubscribe, { once: true });
  if (missed === null) stream.send({ event: 'reload', data: {} });
  for (const event of missed ?? []) send(event);
  return undefined;
}
