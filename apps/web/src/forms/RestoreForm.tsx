import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { useChange, useNodes, useTask } from '../api/queries.ts';
import type { BackupRecord, Node, OverwriteMode } from '../api/types.ts';
import { ConfirmDialog } from '../components/ConfirmDialog.tsx';
import { type Basket, toggleEntry } from '../components/ContentsBrowser.tsx';
import { DirectoryPicker } from '../components/DirectoryPicker.tsx';
import { ErrorBox } from '../components/ErrorBox.tsx';
import { paths } from '../components/paths.ts';
import { formatBytes } from '../i18n/format.ts';
import { t } from '../i18n/i18n.ts';
import { Button, IconButton } from '../ui/Button.tsx';
import { Callout, Card } from '../ui/Card.tsx';
import { ChoiceCards, SelectField, TextField } from '../ui/Field.tsx';
import { folderBeside } from './restore-target.ts';

/** The field is narrower than most paths, and their end is what matters. */
const wholePath = (path: string) => (path.length > 22 ? <span className="font-mono">{path}</span> : undefined);

type Place = 'beside' | 'original' | 'other';

function BasketList({ basket, onChange }: { basket: Basket; onChange: (basket: Basket) => void }) {
  if (basket.size === 0) return <p className="text-ink-2">{t('restore.basketEmpty')}</p>;
  const bytes = [...basket.values()].reduce((sum, entry) => sum + (entry.type === 'file' ? entry.size : 0), 0);
  return (
    <>
      <ul className="max-h-48 space-y-1 overflow-y-auto">
        {[...basket.values()].map((entry) => (
          <li key={entry.path} className="flex items-center gap-2">
            <span className="min-w-0 flex-1 truncate font-mono text-[13px]" title={entry.path}>
              {entry.path}
            </span>
            <IconButton
              icon="x"
              small
              label={t('restore.basketRemove', { name: entry.name })}
              onClick={() => onChange(toggleEntry(basket, entry))}
            />
          </li>
        ))}
      </ul>
      <p className="mt-2 text-[13px] text-ink-3">
        {t('restore.basketCount', { count: basket.size })}
        {bytes > 0 && ` · ${formatBytes(bytes)}`}
      </p>
    </>
  );
}

const nameOfNode = (nodes: readonly Node[] | undefined, id: number) => nodes?.find((node) => node.id === id)?.name;

const whereToWords = (folder: string, node: string) =>
  folder ? t('restore.toFolder', { folder, node }) : t('restore.toOriginal', { node });

/** What will happen, in four lines, before it does. */
function Review({ chosen, whereTo, overwrite }: { chosen: number; whereTo: string; overwrite: OverwriteMode }) {
  return (
    <ul className="list-disc space-y-1.5 pl-5 [overflow-wrap:anywhere]">
      <li>{chosen > 0 ? t('restore.basketCount', { count: chosen }) : t('restore.everything')}</li>
      <li>{whereTo}</li>
      <li>{t(`overwriteLong.${overwrite}`)}</li>
      <li>{t('restore.verified')}</li>
    </ul>
  );
}

/** On which server, and what becomes of files that exist there. */
function ServerAndMode({
  nodeId,
  onNode,
  overwrite,
  onOverwrite,
}: {
  nodeId: number;
  onNode: (id: number) => void;
  overwrite: OverwriteMode;
  onOverwrite: (mode: OverwriteMode) => void;
}) {
  const nodes = useNodes();
  return (
    <>
      <SelectField
        label={t('restore.onServer')}
        value={String(nodeId)}
        onChange={(value) => onNode(Number(value))}
        options={(nodes.data ?? []).map((item) => ({
          value: String(item.id),
          label: item.status === 'online' ? item.name : t('task.serverOffline', { name: item.name }),
          disabled: item.status !== 'online',
        }))}
      />
      <SelectField
        label={t('restore.existing')}
        value={overwrite}
        onChange={(value) => onOverwrite(value as OverwriteMode)}
        options={(['never', 'if_newer', 'always'] as const).map((id) => ({
          value: id,
          label: t(`overwrite.${id}`),
        }))}
      />
    </>
  );
}

/** What was chosen, where it goes, what happens to existing files; review before it starts. */
export function RestoreForm({
  record,
  basket,
  onChange,
}: {
  record: BackupRecord;
  basket: Basket;
  onChange: (basket: Basket) => void;
}) {
  const navigate = useNavigate();
  const nodes = useNodes();
  const task = useTask(record.taskId);
  const [place, setPlace] = useState<Place>('beside');
  const [beside, setBeside] = useState<string | null>(null);
  const [other, setOther] = useState('');
  const [nodeId, setNodeId] = useState(record.nodeId);
  const [overwrite, setOverwrite] = useState<OverwriteMode>('never');
  const [isPicking, setPicking] = useState(false);
  const [isReviewing, setReviewing] = useState(false);
  const [problem, setProblem] = useState('');
  const restore = useChange('records.restore', ['restores']);
  const suggestion = folderBeside(task.data?.sourcePaths[0] ?? '', record.startedAt);
  const typed = place === 'beside' ? (beside ?? suggestion) : other;
  const folder = place === 'original' ? '' : typed.trim();
  const nodeName = nameOfNode(nodes.data, nodeId) ?? record.nodeName;
  const replacesOriginals = place === 'original' && overwrite !== 'never';
  const review = () => {
    const isWrong = place !== 'original' && !folder.startsWith('/');
    setProblem(isWrong ? t('first.folderRule') : '');
    setReviewing(!isWrong);
  };
  const start = () =>
    restore.mutate(
      {
        params: { id: record.id },
        body: {
          targetPath: folder || undefined,
          paths: basket.size > 0 ? [...basket.keys()] : undefined,
          nodeId,
          overwrite,
        },
      },
      { onSuccess: (answer) => void navigate({ to: paths.restoreRecord(answer.id) }) },
    );
  return (
    <div className="space-y-5 lg:sticky lg:top-8">
      <Card title={t('restore.basket')}>
        <BasketList basket={basket} onChange={onChange} />
      </Card>
      <Card title={t('restore.destination')}>
        <div className="space-y-4">
          <ChoiceCards
            legend={t('restore.place')}
            value={place}
            onChange={(value) => setPlace(value as Place)}
            choices={[
              { value: 'beside', label: t('restore.beside'), help: t('restore.besideHelp') },
              { value: 'other', label: t('restore.other') },
              { value: 'original', label: t('restore.original'), help: t('restore.originalHelp') },
            ]}
          />
          {place !== 'original' && (
            <TextField
              label={t('restore.folder')}
              value={typed}
              onChange={place === 'beside' ? setBeside : setOther}
              error={problem || undefined}
              help={wholePath(typed)}
              className="font-mono text-[13px]"
              spellCheck={false}
              end={
                <Button icon="folder" onClick={() => setPicking(true)}>
                  {t('picker.browse')}
                </Button>
              }
            />
          )}
          <ServerAndMode nodeId={nodeId} onNode={setNodeId} overwrite={overwrite} onOverwrite={setOverwrite} />
          {replacesOriginals && <Callout tone="warn" icon="alert" title={t('restore.overwriteWarning')} />}
          <ErrorBox error={isReviewing ? null : restore.error} />
          <Button kind="primary" icon="restore" className="w-full" onClick={review}>
            {t('restore.review')}
          </Button>
        </div>
      </Card>
      {isPicking && (
        <DirectoryPicker
          nodeId={nodeId}
          nodeName={nodeName}
          start={other || '/'}
          foldersOnly
          onClose={() => setPicking(false)}
          onPick={(path) => {
            setPlace('other');
            setOther(path);
            setPicking(false);
          }}
        />
      )}
      <ConfirmDialog
        open={isReviewing}
        onClose={() => setReviewing(false)}
        title={t('restore.reviewTitle')}
        confirm={t('restore.start')}
        kind={replacesOriginals ? 'danger' : 'primary'}
        busy={restore.isPending}
        error={restore.error}
        typeToConfirm={replacesOriginals ? record.taskName : undefined}
        onConfirm={start}
      >
        <Review chosen={basket.size} whereTo={whereToWords(folder, nodeName)} overwrite={overwrite} />
      </ConfirmDialog>
    </div>
  );
}
