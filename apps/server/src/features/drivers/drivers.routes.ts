/** Forms of all drivers, from which the console draws its fields. */
import { driverRoutes } from '@backupx/contracts/api/storage-targets';
import type { Engine } from '@backupx/engine/ports/engine';
import { type BoundRoute, bind } from '../../http/route-context.ts';

export function driverRoutesOf({ engine }: { readonly engine: Pick<Engine, 'manifests'> }): BoundRoute[] {
  return [
    bind(driverRoutes.list, () => ({
      sources: [...engine.manifests.sources],
      storages: [...engine.manifests.storages],
    })),
  ];
}
