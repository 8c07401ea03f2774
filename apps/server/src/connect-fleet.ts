/**
 * The routes about nodes, for the console and for agents, over a fleet that `createFleet` made. The fleet itself stands
 * between the two steps of `connect-records`: it ends records, and the dispatcher sends it commands.
 */
import type { Clock } from '@backupx/engine/ports/clock';
import type { Engine } from '@backupx/engine/ports/engine';
import type { RecordEnds, Runs } from './connect-records.ts';
import type { Fleet } from './dispatch/create-fleet.ts';
import type { Db } from './dispatch/ports.ts';
import type { EventBus } from './event-bus.ts';
import { agentRoutesOf } from './features/nodes/agent.routes.ts';
import { nodeRoutesOf } from './features/nodes/nodes.routes.ts';
import type { BoundRoute } from './http/route-context.ts';

export interface FleetRoutesDeps {
  readonly db: Db;
  readonly clock: Clock;
  readonly bus: EventBus;
  readonly engine: Pick<Engine, 'openStorage'>;
  readonly fleet: Fleet;
  readonly ends: RecordEnds;
  readonly runs: Pick<Runs, 'builder' | 'dispatcher'>;
}

export function connectFleetRoutes({ db, clock, bus, engine, fleet, ends, runs }: FleetRoutesDeps): BoundRoute[] {
  return [
    ...nodeRoutesOf({ db, clock, events: bus, fleet, askNode: runs.dispatcher.askNode }),
    ...agentRoutesOf({
      db,
      clock,
      fleet,
      jobs: runs.builder,
      records: ends.lifecycle,
      reporter: ends.reporter,
      engine,
    }),
  ];
}
