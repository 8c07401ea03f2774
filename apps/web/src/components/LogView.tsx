import { useEffect, useMemo, useRef, useState } from 'react';
import { openEventStream } from '../api/event-stream.ts';
import { queryClient } from '../api/queries.ts';
import type { RecordLogEvent, RunKind } from '../api/types.ts';
import { formatClock } from '../i18n/format.ts';
import { t } from '../i18n/i18n.ts';
import { Button } from '../ui/Button.tsx';
import { CheckField } from '../ui/Field.tsx';
import { Icon } from '../ui/Icon.tsx';
import { saveFile } from './save-file.ts';
import { useKey } from './use-key.ts';

/** Lines beyond this are cut from the top of the screen; the download has them all. */
const MAX_LINES = 5000;

const addresses: Readonly<Record<RunKind, string>> = {
  record: '/api/backup/records',
  restore: '/api/restore/records',
  maintenance: '/api/maintenance/records',
  verify: '/api/verify/records',
};

/** Follows the log of a run; `text` grows while it is live. Offsets make a replay after a reconnect harmless. */
function useLiveLog(kind: RunKind, id: number, stored: string, isRunning: boolean): string {
  const [text, setText] = useState(stored);
  useEffect(() => {
    if (!isRunning) {
      setText(stored);
      return;
    }
    return openEventStream({
      url: `${addresses[kind]}/${id}/logs/stream`,
      onEvent: ({ data }) => {
        let event: RecordLogEvent;
        try {
          event = JSON.parse(data) as RecordLogEvent;
        } catch {
          return;
        }
        if (event.type === 'log') {
          const { offset, text: added } = event;
          setText((old) => old.slice(0, offset) + added);
        }
        if (event.type === 'end') void queryClient.invalidateQueries({ queryKey: [kind, id] });
      },
    });
  }, [kind, id, stored, isRunning]);
  return text;
}

function lineTone(line: string): string {
  if (/\bERROR\b/.test(line) || /\bfatal\b/i.test(line)) return 'text-bad';
  return /\bWARN\b/.test(line) ? 'text-warn' : '';
}

const STAMP = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z) (?:INFO|WARN|ERROR|DEBUG) /;

/** A line as a person reads it: the time of his own clock, the level as the line's colour. The download stays whole. */
function LogLine({ line }: { line: string }) {
  const stamp = STAMP.exec(line);
  if (!stamp?.[1]) return line;
  return (
    <>
      <time dateTime={stamp[1]} title={stamp[1]} className="mr-3 text-ink-3 tabular-nums">
        {formatClock(stamp[1])}
      </time>
      {line.slice(stamp[0].length)}
    </>
  );
}

/** The live log: follows its end until the reader scrolls up, can be searched, wrapped and downloaded. */
export function LogView({
  kind,
  id,
  stored,
  isRunning,
}: {
  kind: RunKind;
  id: number;
  stored: string;
  isRunning: boolean;
}) {
  const text = useLiveLog(kind, id, stored, isRunning);
  const [query, setQuery] = useState('');
  const [wrap, setWrap] = useState(true);
  const box = useRef<HTMLDivElement>(null);
  const follow = useRef(true);
  const lines = useMemo(() => {
    const all = text.split('\n').filter((line, index, list) => line !== '' || index < list.length - 1);
    const wanted = query.trim().toLowerCase();
    return (wanted ? all.filter((line) => line.toLowerCase().includes(wanted)) : all).slice(-MAX_LINES);
  }, [text, query]);

  const jumped = useRef(-1);
  useKey('e', () => {
    const bad = [...(box.current?.querySelectorAll<HTMLElement>('[data-bad]') ?? [])];
    if (bad.length === 0) return;
    jumped.current = (jumped.current + 1) % bad.length;
    follow.current = false;
    bad[jumped.current]?.scrollIntoView({ block: 'center' });
    box.current?.focus({ preventScroll: true });
  });

  // biome-ignore lint/correctness/useExhaustiveDependencies: runs after each growth of the list
  useEffect(() => {
    const element = box.current;
    if (element && follow.current && isRunning) element.scrollTop = element.scrollHeight;
  }, [lines.length, isRunning]);

  return (
    <div>
      <div className="mb-3 flex flex-wrap items-center gap-x-4 gap-y-2">
        <div className="relative min-w-40 flex-1">
          <Icon name="search" size={14} className="absolute top-2 left-2.5 text-ink-3" />
          <input
            type="search"
            value={query}
            onChange={(event) => setQuery(event.target.value)}
            aria-label={t('log.search')}
            placeholder={t('log.search')}
            className="h-8 w-full rounded-lg border border-line-strong/60 bg-surface pr-2 pl-8 text-[13px]"
          />
        </div>
        <CheckField label={t('log.wrap')} checked={wrap} onChange={setWrap} />
        <Button
          small
          icon="download"
          onClick={() => saveFile(new Blob([text], { type: 'text/plain' }), `backupx-${kind}-${id}.log`)}
          disabled={!text}
        >
          {t('action.download')}
        </Button>
      </div>
      <div
        ref={box}
        role="log"
        aria-label={t('log.title')}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reachable by keyboard
        tabIndex={0}
        onScroll={(event) => {
          const { scrollTop, scrollHeight, clientHeight } = event.currentTarget;
          follow.current = scrollHeight - scrollTop - clientHeight < 40;
        }}
        className="max-h-96 min-h-24 overflow-auto rounded-lg border border-line bg-raised/50 py-2 font-mono text-xs leading-5 -outline-offset-2"
      >
        {lines.length === 0 && (
          <p className="px-3 font-sans text-[13px] text-ink-3">{query ? t('log.noMatch') : t('log.empty')}</p>
        )}
        {lines.map((line, index) => (
          <div
            lang="en"
            // biome-ignore lint/suspicious/noArrayIndexKey: lines have no identity but their place
            key={index}
            data-bad={lineTone(line) === 'text-bad' || undefined}
            className={`px-3 [contain-intrinsic-block-size:1.25rem] [content-visibility:auto] ${wrap ? 'whitespace-pre-wrap [overflow-wrap:anywhere]' : 'w-max min-w-full whitespace-pre'} ${lineTone(line)}`}
          >
            <LogLine line={line} />
          </div>
        ))}
      </div>
    </div>
  );
}
