import { useId, useState } from 'react';
import { DirectoryPicker } from '../components/DirectoryPicker.tsx';
import { t } from '../i18n/i18n.ts';
import { Button, IconButton } from '../ui/Button.tsx';
import { Icon } from '../ui/Icon.tsx';

interface PathListFieldProps {
  label: string;
  paths: readonly string[];
  onChange: (paths: string[]) => void;
  onBlur?: () => void;
  node: { id: number; name: string };
  error?: string;
}

/** Folders of a server: typed, or picked by walking that server. */
export function PathListField({ label, paths, onChange, onBlur, node, error }: PathListFieldProps) {
  const id = useId();
  const [picking, setPicking] = useState<number | null>(null);
  const rows = paths.length > 0 ? paths : [''];
  const replace = (index: number, path: string) => onChange(rows.map((old, at) => (at === index ? path : old)));
  return (
    <fieldset>
      <legend className="mb-1.5 font-medium">{label}</legend>
      <div className="space-y-2">
        {rows.map((path, index) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: a row is its place while it is being typed
          <div key={index} className="flex items-center gap-2">
            <input
              value={path}
              onChange={(event) => replace(index, event.target.value)}
              onBlur={onBlur}
              aria-label={t('path.nth', { n: index + 1 })}
              aria-invalid={error ? true : undefined}
              aria-describedby={error ? `${id}-error` : undefined}
              placeholder="/srv/www"
              spellCheck={false}
              autoCapitalize="none"
              className={`h-9 w-full min-w-0 rounded-lg border bg-surface px-3 font-mono text-[13px] ${error ? 'border-bad-mark' : 'border-line-strong/60'}`}
            />
            <Button icon="folder" onClick={() => setPicking(index)}>
              {t('picker.browse')}
            </Button>
            {rows.length > 1 && (
              <IconButton
                icon="x"
                label={t('path.remove', { n: index + 1 })}
                onClick={() => onChange(rows.filter((_, at) => at !== index))}
              />
            )}
          </div>
        ))}
      </div>
      {error && (
        <p id={`${id}-error`} className="mt-1.5 flex items-start gap-1.5 text-[13px] text-bad">
          <Icon name="alert" size={14} className="mt-0.5" />
          {error}
        </p>
      )}
      <Button small kind="ghost" icon="plus" className="mt-2 -ml-2" onClick={() => onChange([...rows, ''])}>
        {t('path.add')}
      </Button>
      {picking !== null && (
        <DirectoryPicker
          nodeId={node.id}
          nodeName={node.name}
          start={rows[picking] || '/'}
          onClose={() => setPicking(null)}
          onPick={(path) => {
            replace(picking, path);
            setPicking(null);
          }}
        />
      )}
    </fieldset>
  );
}
