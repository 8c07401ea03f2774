import { Icon } from '../ui/Icon.tsx';

export function SearchInput({
  label,
  value,
  onChange,
}: {
  label: string;
  value: string;
  onChange: (value: string) => void;
}) {
  return (
    <div className="relative min-w-0 flex-1 basis-56">
      <Icon name="search" size={15} className="pointer-events-none absolute top-2.5 left-3 text-ink-3" />
      <input
        type="search"
        value={value}
        onChange={(event) => onChange(event.target.value)}
        aria-label={label}
        placeholder={label}
        className="h-9 w-full rounded-lg border border-line-strong/60 bg-surface pr-3 pl-9"
      />
    </div>
  );
}
