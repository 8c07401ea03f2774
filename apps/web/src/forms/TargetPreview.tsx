import type { InspectTargetResult } from '../api/types.ts';
import { ErrorBox } from '../components/ErrorBox.tsx';
import { Time } from '../components/Time.tsx';
import { formatBytes } from '../i18n/format.ts';
import { t } from '../i18n/i18n.ts';
import { Button } from '../ui/Button.tsx';
import { Callout, Skeleton } from '../ui/Card.tsx';
import { type Column, DataTable } from '../ui/DataTable.tsx';
import { CheckField } from '../ui/Field.tsx';

type Database = InspectTargetResult['databases'][number];
type Session = Database['sessions'][number];

const sessionColumns = (): readonly Column<Session>[] => [
  {
    id: 'user',
    title: t('sourceRestore.sessionUser'),
    lead: true,
    cell: ({ user, id }) => <span className="[overflow-wrap:anywhere]">{user || id}</span>,
  },
  {
    id: 'address',
    title: t('sourceRestore.sessionAddress'),
    cell: ({ address }) => <span className="[overflow-wrap:anywhere]">{address || '–'}</span>,
  },
  {
    id: 'program',
    title: t('sourceRestore.sessionProgram'),
    cell: ({ program, id }) => <span className="[overflow-wrap:anywhere]">{program ? `${program} (${id})` : id}</span>,
  },
  { id: 'since', title: t('sourceRestore.sessionSince'), nowrap: true, cell: ({ since }) => <Time at={since} /> },
];

const VERSION_TEXTS = {
  older: 'sourceRestore.versionOlder',
  newer: 'sourceRestore.versionNewer',
  other: 'sourceRestore.versionOther',
} as const;

/** Sessions that stop the restore as long as they are there. */
export const sessionsIn = (found: InspectTargetResult | undefined): number =>
  (found?.databases ?? []).reduce((sum, one) => sum + (fateOf(one) === 'isReplaced' ? one.sessions.length : 0), 0);

function fateOf({ exists, isReplaced = exists }: Database): 'isReplaced' | 'isLeft' | 'isNew' {
  if (isReplaced) return 'isReplaced';
  return exists ? 'isLeft' : 'isNew';
}

function DatabaseItem({ database, isKept }: { database: Database; isKept: boolean }) {
  const { name, sizeBytes, exists } = database;
  const fate = t(`sourceRestore.${isKept && exists ? 'isInTheWay' : fateOf(database)}`);
  const sessions = isKept ? [] : database.sessions;
  return (
    <li className="space-y-2">
      <p className="[overflow-wrap:anywhere]">
        <span className="font-medium text-ink">{name}</span> · {fate}
        {sizeBytes !== null && ` · ${formatBytes(sizeBytes)}`}
      </p>
      {sessions.length > 0 && (
        <div className="overflow-x-auto rounded-lg border border-line">
          <DataTable
            label={t('sourceRestore.sessionsOf', { name })}
            columns={sessionColumns()}
            rows={sessions}
            rowKey={({ id }) => id}
          />
        </div>
      )}
    </li>
  );
}

/** The server is not like the one that was backed up: the restore asks whether that is meant. */
function VersionQuestion({
  versions,
  isAccepted,
  onAccept,
}: {
  versions: NonNullable<InspectTargetResult['otherVersion']>;
  isAccepted: boolean;
  onAccept: (isAccepted: boolean) => void;
}) {
  const { saved, target, difference } = versions;
  return (
    <>
      <Callout tone="warn" icon="alert" role="status" title={t('sourceRestore.version', { saved, target })}>
        <p>{t(VERSION_TEXTS[difference])}</p>
      </Callout>
      <CheckField label={t('sourceRestore.acceptVersion')} checked={isAccepted} onChange={onAccept} />
    </>
  );
}

/**
 * What a restore would replace, and who is connected to it. `isKept`: nothing is replaced, what exists stops the restore;
 * `onEndSessions` null: sessions must leave by themselves.
 */
export function TargetPreview({
  found,
  error,
  isPending,
  isKept,
  onAsk,
  endSessions,
  onEndSessions,
  acceptsVersion,
  onAcceptVersion,
}: {
  found: InspectTargetResult | undefined;
  error: unknown;
  isPending: boolean;
  isKept: boolean;
  onAsk: () => void;
  endSessions: boolean;
  onEndSessions: ((endSessions: boolean) => void) | null;
  acceptsVersion: boolean;
  onAcceptVersion: (acceptsVersion: boolean) => void;
}) {
  if (isPending) return <Skeleton rows={2} label={t('sourceRestore.asking')} />;
  if (error) return <ErrorBox error={error} onRetry={onAsk} />;
  if (!found) return null;
  const count = isKept ? 0 : sessionsIn(found);
  return (
    <div className="space-y-3">
      <ul className="max-h-72 space-y-3 overflow-y-auto" aria-label={t('sourceRestore.whatIsThere')}>
        {found.databases.map((database) => (
          <DatabaseItem key={database.name} database={database} isKept={isKept} />
        ))}
      </ul>
      {found.otherVersion && (
        <VersionQuestion versions={found.otherVersion} isAccepted={acceptsVersion} onAccept={onAcceptVersion} />
      )}
      {(found.notes ?? []).map((note) => (
        <p key={note} className="text-[13px] text-ink-2 [overflow-wrap:anywhere]" lang="en">
          {note}
        </p>
      ))}
      {count > 0 && (
        <Callout
          tone="warn"
          icon="alert"
          role="status"
          title={t('sourceRestore.sessions', { count })}
          actions={
            <Button small icon="refresh" onClick={onAsk}>
              {t('sourceRestore.askAgain')}
            </Button>
          }
        >
          <p>{onEndSessions ? t('sourceRestore.sessionsHelp') : t('sourceRestore.programsHelp')}</p>
        </Callout>
      )}
      {count > 0 && onEndSessions && (
        <CheckField label={t('sourceRestore.endSessions')} checked={endSessions} onChange={onEndSessions} />
      )}
    </div>
  );
}
