import { useState } from "react";
import { cx } from "../cx";

export interface Series {
  name: string;
  /** A colour token, e.g. `var(--run)`. */
  color: string;
  values: readonly number[];
}

const WIDTH = 640;
const HEIGHT = 160;
const GAP = 0.25;

/** Stacked bars over labels, with the same numbers as a table on demand. Values are reachable with the arrow keys. */
export function Bars({ title, labels, series, format }: { title: string; labels: readonly string[]; series: readonly Series[]; format: (value: number) => string }) {
  const [table, setTable] = useState(false);
  const [active, setActive] = useState<number | undefined>();
  const totals = labels.map((_, at) => series.reduce((sum, one) => sum + (one.values[at] ?? 0), 0));
  const most = Math.max(...totals, 0);
  const step = WIDTH / Math.max(1, labels.length);
  const width = Math.min(step * (1 - GAP), 28);
  const shown = active ?? labels.length - 1;
  return (
    <figure className="flex flex-col gap-2">
      <figcaption className="flex flex-wrap items-center gap-x-4 gap-y-1">
        <span className="text-ui font-medium">{title}</span>
        {series.map((one) => (
          <span key={one.name} className="flex items-center gap-1.5 text-meta text-text-3">
            <span className="size-2 rounded-full" style={{ background: one.color }} aria-hidden="true" />
            {one.name}
          </span>
        ))}
        <button type="button" className="ml-auto text-meta text-accent hover:underline" onClick={() => setTable(!table)} aria-pressed={table}>
          {table ? "Show chart" : "Show table"}
        </button>
      </figcaption>
      {table ? (
        <div className="max-h-72 overflow-auto rounded-ctl border border-line" tabIndex={0} role="region" aria-label={title}>
          <table className="w-full text-code tnum">
            <thead className="sticky top-0 bg-sunken text-left text-text-3">
              <tr>
                <th className="px-3 py-1.5 font-medium">Day</th>
                {series.map((one) => (
                  <th key={one.name} className="px-3 py-1.5 text-right font-medium">
                    {one.name}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {labels.map((label, at) => (
                <tr key={label} className="border-t border-line">
                  <td className="px-3 py-1">{label}</td>
                  {series.map((one) => (
                    <td key={one.name} className="px-3 py-1 text-right">
                      {format(one.values[at] ?? 0)}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      ) : (
        <>
          <div
            tabIndex={0}
            role="slider"
            aria-label={title}
            aria-valuemin={0}
            aria-valuemax={Math.max(0, labels.length - 1)}
            aria-valuenow={Math.max(0, shown)}
            aria-valuetext={`${labels[shown] ?? ""}: ${format(totals[shown] ?? 0)}`}
            onKeyDown={(event) => {
              const by = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
              if (by === 0) return;
              event.preventDefault();
              setActive(Math.min(labels.length - 1, Math.max(0, shown + by)));
            }}
            onPointerLeave={() => setActive(undefined)}
            className="rounded-ctl"
          >
            <svg viewBox={`0 0 ${WIDTH} ${HEIGHT + 18}`} className="block h-auto w-full" aria-hidden="true" preserveAspectRatio="none">
              {[0, 0.5, 1].map((part) => (
                <line key={part} x1="0" x2={WIDTH} y1={HEIGHT - HEIGHT * part + 0.5} y2={HEIGHT - HEIGHT * part + 0.5} stroke="var(--line)" strokeWidth="1" vectorEffect="non-scaling-stroke" />
              ))}
              {labels.map((label, at) => {
                let from = HEIGHT;
                return (
                  <g key={label} onPointerEnter={() => setActive(at)} opacity={active === undefined || active === at ? 1 : 0.45}>
                    <rect x={at * step} y="0" width={step} height={HEIGHT} fill="transparent" />
                    {series.map((one) => {
                      const height = most === 0 ? 0 : ((one.values[at] ?? 0) / most) * (HEIGHT - 4);
                      from -= height;
                      return height > 0 && <rect key={one.name} x={at * step + (step - width) / 2} y={from} width={width} height={height} rx="1.5" fill={one.color} />;
                    })}
                  </g>
                );
              })}
            </svg>
          </div>
          <div className="flex justify-between text-meta text-text-3 tnum">
            <span>{labels[0]}</span>
            <span className={cx("text-text-2", active === undefined && "invisible")}>{active !== undefined && `${labels[active]} · ${format(totals[active] ?? 0)}`}</span>
            <span>{labels.at(-1)}</span>
          </div>
        </>
      )}
    </figure>
  );
}

/** Names with a bar each, longest first. */
export function Ranking({ rows, format }: { rows: readonly { name: string; value: number; note?: string }[]; format: (value: number) => string }) {
  const most = Math.max(...rows.map((row) => row.value), 0);
  return (
    <ul className="flex flex-col gap-2">
      {rows.map((row) => (
        <li key={row.name} className="flex flex-col gap-1">
          <span className="flex items-baseline gap-3 text-ui">
            <span className="min-w-0 flex-1 truncate">{row.name}</span>
            {row.note && <span className="text-meta text-text-3">{row.note}</span>}
            <span className="tnum">{format(row.value)}</span>
          </span>
          <span className="h-1.5 overflow-hidden rounded-full bg-press" aria-hidden="true">
            <span className="block h-full rounded-full bg-text-3" style={{ width: `${most === 0 ? 0 : (row.value / most) * 100}%` }} />
          </span>
        </li>
      ))}
    </ul>
  );
}
