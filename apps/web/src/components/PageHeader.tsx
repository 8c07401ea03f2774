import { Link } from '@tanstack/react-router';
import { type ReactNode, useEffect } from 'react';
import { Icon } from '../ui/Icon.tsx';

/** Title of a page and of the browser tab, way back, main actions. */
export function PageHeader({
  title,
  note,
  back,
  actions,
}: {
  title: string;
  note?: ReactNode;
  back?: { to: string; label: string };
  actions?: ReactNode;
}) {
  useEffect(() => {
    document.title = `${title} · BackupX`;
  }, [title]);
  return (
    <header className="mb-5">
      {back && (
        <Link
          to={back.to}
          className="mb-2 inline-flex min-h-6 items-center gap-1.5 text-[13px] text-ink-2 hover:text-ink"
        >
          <Icon name="arrow-left" size={14} />
          {back.label}
        </Link>
      )}
      <div className="flex flex-wrap items-center gap-x-4 gap-y-3">
        <div className="min-w-0 flex-1 basis-48">
          <h1 className="text-xl font-semibold tracking-tight [overflow-wrap:anywhere]">{title}</h1>
          {note && <div className="mt-0.5 text-ink-2">{note}</div>}
        </div>
        {actions && <div className="flex flex-wrap items-center gap-2">{actions}</div>}
      </div>
    </header>
  );
}
