import { Link } from '@tanstack/react-router';
import { useEffect, useState } from 'react';
import { useNode, useSettings } from '../../api/queries.ts';
import type { Node } from '../../api/types.ts';
import { CopyBox } from '../../components/CopyBox.tsx';
import { paths } from '../../components/paths.ts';
import { t } from '../../i18n/i18n.ts';
import { buttonClass } from '../../ui/Button.tsx';
import { Callout, Card } from '../../ui/Card.tsx';
import { Icon } from '../../ui/Icon.tsx';
import { Tabs } from '../../ui/Tabs.tsx';
import { commandInstall, environmentInstall, reachCommand, systemdInstall, yamlInstall } from './agent-commands.ts';

const SILENCE_MS = 60_000;

/** Watches one node until its agent calls; after a minute of silence says what to look at. */
function Watch({ node, master }: { node: Node; master: string }) {
  const query = useNode(node.id);
  const [isSilent, setSilent] = useState(false);
  const current = query.data ?? node;
  const isOnline = current.status === 'online';
  useEffect(() => {
    const timer = setTimeout(() => setSilent(true), SILENCE_MS);
    return () => clearTimeout(timer);
  }, []);
  if (isOnline) {
    const system = [current.hostname, current.os, current.arch, current.agentVersion].filter(Boolean).join(' · ');
    return (
      <Callout
        tone="ok"
        icon="check-circle"
        role="status"
        title={t('servers.connected', { name: current.name })}
        actions={
          <>
            <Link to={`${paths.newTask}?server=${current.id}`} className={buttonClass('primary')}>
              {t('servers.protect', { name: current.name })}
            </Link>
            <Link to={paths.servers} className={buttonClass()}>
              {t('servers.toList')}
            </Link>
          </>
        }
      >
        {system}
      </Callout>
    );
  }
  return (
    <div role="status" className="rounded-xl border border-line bg-surface p-4 shadow-card">
      <p className="flex items-center gap-2.5 font-medium">
        <Icon name="spinner" className="spin text-run" />
        {t('servers.waiting')}
      </p>
      {isSilent && (
        <div className="mt-3 border-t border-line pt-3 text-ink-2">
          <p>{t('servers.silent')}</p>
          <pre className="mt-2 overflow-x-auto rounded-lg bg-raised px-3 py-2 font-mono text-[13px] select-all">
            {reachCommand(master)}
          </pre>
        </div>
      )}
    </div>
  );
}

/** The token in four forms, shown this once, and the live state below. */
export function ConnectAgent({ node }: { node: Node & { token: string } }) {
  const settings = useSettings();
  const [tab, setTab] = useState('command');
  const master = settings.data?.externalUrl || location.origin;
  const install = { master, token: node.token };
  const isLoopback = /^https?:\/\/(localhost|127\.|\[::1\])/.test(master);
  return (
    <div className="space-y-5">
      <Card title={t('servers.runThere', { name: node.name })}>
        <div className="space-y-4">
          <Tabs
            label={t('servers.ways')}
            value={tab}
            onChange={setTab}
            items={[
              {
                id: 'command',
                label: t('servers.command'),
                content: <CopyBox autoFocus label={t('servers.command')} text={commandInstall(install)} />,
              },
              { id: 'yaml', label: 'YAML', content: <CopyBox label="YAML" text={yamlInstall(install)} /> },
              {
                id: 'environment',
                label: t('servers.environment'),
                content: <CopyBox label={t('servers.environment')} text={environmentInstall(install)} />,
              },
              { id: 'systemd', label: 'systemd', content: <CopyBox label="systemd" text={systemdInstall(install)} /> },
            ]}
          />
          <p className="flex items-start gap-2 text-[13px] text-ink-2">
            <Icon name="key" size={14} className="mt-0.5" />
            {t('servers.tokenOnce')}
          </p>
          {isLoopback && (
            <Callout tone="warn" icon="alert" title={t('servers.loopback', { url: master })}>
              {t('servers.loopbackText')}
            </Callout>
          )}
        </div>
      </Card>
      <Watch node={node} master={master} />
    </div>
  );
}
