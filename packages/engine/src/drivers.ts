/** All drivers of this engine, joined with the storage decorators. */
import type { EngineDrivers } from './jobs/job-context.ts';
import { joinDrivers } from './join-drivers.ts';
import { sourceDrivers } from './sources/index.ts';
import { storageDrivers } from './storages/index.ts';

export const drivers: EngineDrivers = joinDrivers(sourceDrivers, storageDrivers);
