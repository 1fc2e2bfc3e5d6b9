import { memo, useState, type ReactNode } from "react";
import { isObject, stringify } from "@/transcript/json";
import { plural } from "@/data/format";

const MOUNT = 100;
const LONG = 2_000;

/** Any value, foldable. Strings stay readable: long ones keep their line breaks. */
export const JsonTree = memo(function JsonTree({ value }: { value: unknown }) {
  return (
    <div className="json">
      <Node value={value} name={null} depth={0} />
    </div>
  );
});

function Node({ value, name, depth }: { value: unknown; name: string | null; depth: number }): ReactNode {
  const label = name === null ? null : <span className="json-key">{name}</span>;
  if (Array.isArray(value)) return <Branch label={label} entries={value.map((entry, index) => [String(index), entry])} summary={plural(value.length, "item")} depth={depth} />;
  if (isObject(value)) return <Branch label={label} entries={Object.entries(value)} summary={plural(Object.keys(value).length, "member")} depth={depth} />;
  return (
    <div className="json-leaf">
      {label}
      <Leaf value={value} />
    </div>
  );
}

function Leaf({ value }: { value: unknown }): ReactNode {
  const [all, setAll] = useState(false);
  if (typeof value !== "string") return <span className="tok-number">{stringify(value)}</span>;
  if (value.length <= LONG || all) return <span className="json-text">{value}</span>;
  return (
    <span className="json-text">
      {value.slice(0, LONG)}
      <button type="button" className="inline-more" onClick={() => setAll(true)}>
        … {plural(value.length - LONG, "more character")}
      </button>
    </span>
  );
}

function Branch({ label, entries, summary, depth }: { label: ReactNode; entries: readonly (readonly [string, unknown])[]; summary: string; depth: number }): ReactNode {
  const [all, setAll] = useState(false);
  if (entries.length === 0) return <div className="json-leaf">{label}<span className="text-text-3">empty</span></div>;
  const children = (all ? entries : entries.slice(0, MOUNT)).map(([key, value]) => <Node key={key} value={value} name={key} depth={depth + 1} />);
  const rest = !all && entries.length > MOUNT && (
    <button type="button" className="inline-more" onClick={() => setAll(true)}>
      {plural(entries.length - MOUNT, "more entry", "more entries")}
    </button>
  );
  if (label === null) return <>{children}{rest}</>;
  return (
    <details open={depth < 2} className="json-branch">
      <summary>
        {label}
        <span className="text-text-3">{summary}</span>
      </summary>
      {children}
      {rest}
    </details>
  );
}
