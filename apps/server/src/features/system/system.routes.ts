/** About this server, and the stream of what changes. */
import { hostname } from 'node:os';
import { join } from 'node:path';
import { systemRoutes } from '@backupx/contracts/api/system';
import type { Clock } from '@backupx/engine/ports/clock';
import type { Db } from '../../dispatch/ports.ts';
import type { EventBus } from '../../event-bus.ts';
import { type BoundRoute, bind } from '../../http/route-context.ts';
import { readSiteSettings } from '../../stores/site-settings.ts';
import { streamEvents } from './stream-events.ts';

export interface SystemDeps {
  readonly db: Db;
  readonly clock: Clock;
  readonly bus: EventBus;
  readonly version: string;
  readonly mode: string;
  readonly databaseKind: string;
  readonly dataDir: string;
  /** From the config; the setting of the same name wins. */
  readonly externalUrl: string;
}

export function systemRoutesOf(deps: SystemDeps): BoundRoute[] {
  const startedAt = deps.clock.now().toISOString();
  const startedMs = deps.clock.monotonicMs();
  return [
    bind(systemRoutes.info, async () => {
      const settings = await readSiteSettings(deps.db);
      return {
        version: deps.version,
        mode: deps.mode,
        startedAt,
        uptimeSeconds: Math.floor((deps.clock.monotonicMs() - startedMs) / 1000),
        nodeVersion: process.version,
        databaseKind: deps.databaseKind,
        timezone: settings.timezone,
        externalUrl: settings.externalUrl || deps.externalUrl,
        hostname: hostname(),
        suggestedStoragePath: join(deps.dataDir, 'storage'),
      };
    }),
    bind(systemRoutes.events, ({ request, reply }) => streamEvents(deps.bus, request, reply)),
  ];
}
