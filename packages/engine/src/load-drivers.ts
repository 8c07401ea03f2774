/**
 * The drivers of one job: all of them, each with its settings, take longer to load than many a job takes. Threads of
 * the engine load this module.
 */
import type { EngineDrivers } from './jobs/job-context.ts';
import { joinDrivers } from './join-drivers.ts';
import { sourcesByType } from './sources/by-type.ts';
import { storagesByType } from './storages/by-type.ts';

/** The REST server of restic is a target, but no driver. */
const NO_DRIVERS = ['rest'];

/** The drivers that a job names; all of them without a job, or when it names one that is not loaded alone (or is none: the error lists all). */
export async function loadDrivers(job: unknown): Promise<EngineDrivers> {
  const types = typesIn(job);
  const isKnown = (type: string) => Object.hasOwn(sourcesByType, type) || Object.hasOwn(storagesByType, type);
  if (job === null || !types.every(isKnown)) return (await import('./drivers.ts')).drivers;
  const [sources, storages] = await Promise.all([
    Promise.all(types.flatMap((type) => sourcesByType[type]?.() ?? [])),
    Promise.all(types.flatMap((type) => storagesByType[type]?.() ?? [])),
  ]);
  return joinDrivers(sources, storages);
}

/** Types of everything in a job that has settings (`{ type, config }`): sources and targets, wherever they stand. */
function typesIn(job: unknown): string[] {
  const types = new Set<string>();
  const look = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    if ('type' in value && 'config' in value && typeof value.type === 'string') types.add(value.type);
    for (const part of Object.values(value)) look(part);
  };
  look(job);
  for (const type of NO_DRIVERS) types.delete(type);
  return [...types];
}
