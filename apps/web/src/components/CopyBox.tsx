import { useState } from 'react';
import { t } from '../i18n/i18n.ts';
import { Button } from '../ui/Button.tsx';

/** Text to copy, scrolling in its own box. Works without the clipboard API (plain HTTP) by selecting the text. */
export function CopyBox({ text, label, autoFocus }: { text: string; label: string; autoFocus?: boolean }) {
  const [state, setState] = useState<'idle' | 'copied' | 'select'>('idle');
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setState('copied');
    } catch {
      setState('select');
    }
  };
  return (
    <div className="overflow-hidden rounded-lg border border-line bg-raised/60">
      <div className="flex items-center justify-between gap-3 border-b border-line py-1 pr-1 pl-3">
        <span className="text-[13px] font-medium text-ink-2">{label}</span>
        <Button small kind="ghost" icon={state === 'copied' ? 'check' : 'copy'} onClick={copy} autoFocus={autoFocus}>
          {state === 'copied' ? t('action.copied') : t('action.copy')}
        </Button>
      </div>
      <section
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a box that scrolls must be reachable by keyboard
        tabIndex={0}
        aria-label={label}
        className="overflow-x-auto p-3 -outline-offset-2"
      >
        <pre className="font-mono text-[13px] leading-relaxed select-all">{text}</pre>
      </section>
      <p role="status" className={state === 'select' ? 'px-3 pb-2 text-[13px] text-ink-2' : 'sr-only'}>
        {state === 'copied' ? t('action.copied') : state === 'select' ? t('copy.byHand') : ''}
      </p>
    </div>
  );
}
