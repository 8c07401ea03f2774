/** Settings of the installation. */
import { type Settings, settingsRoutes } from '@backupx/contracts/api/system';
import { AppError, type FieldProblem } from '@backupx/contracts/errors';
import type { Clock } from '@backupx/engine/ports/clock';
import type { Db } from '../../dispatch/ports.ts';
import { type BoundRoute, bind } from '../../http/route-context.ts';
import { settingsStore } from '../../stores/settings.store.ts';
import { readSiteSettings } from '../../stores/site-settings.ts';

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

function isWebAddress(text: string): boolean {
  return URL.canParse(text) && /^https?:$/.test(new URL(text).protocol);
}

function refuseNonsense(settings: Settings): void {
  const fields: FieldProblem[] = [];
  if (!isTimeZone(settings.timezone)) {
    fields.push({ path: 'timezone', code: 'unknown_timezone', message: 'not an IANA time zone' });
  }
  if (settings.externalUrl !== '' && !isWebAddress(settings.externalUrl)) {
    fields.push({ path: 'externalUrl', code: 'invalid_url', message: 'not an http or https address' });
  }
  if (fields.length > 0) throw new AppError('INVALID_INPUT', {}, { fields });
}

export function settingsRoutesOf({ db, clock }: { readonly db: Db; readonly clock: Clock }): BoundRoute[] {
  return [
    bind(settingsRoutes.get, () => readSiteSettings(db)),
    bind(settingsRoutes.update, async ({ body, request, audit }) => {
      // The schema fills in defaults; a key that was not sent keeps its value instead.
      const sent = Object.keys(request.body as object);
      const given = Object.fromEntries(Object.entries(body).filter(([name]) => sent.includes(name)));
      audit({ target: 'settings', detail: Object.keys(given).join(', ') });
      return await db.transaction().execute(async (trx) => {
        const merged = { ...(await readSiteSettings(trx)), ...given } as Settings;
        const settings = { ...merged, externalUrl: merged.externalUrl.replace(/\/+$/, '') };
        refuseNonsense(settings);
        await settingsStore.set(trx, 'site', settings, clock.now().toISOString());
        return settings;
      });
    }),
  ];
}
