/** Numbers, times and paths as people read them. The browser's locale decides the details. */

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** Between a number and its unit. */
const THIN = "\u202f";

/** "now", "5 min", "3 h", "2 d", then a date. */
export function relativeTime(at: number, now: number): string {
  const age = now - at;
  if (age < 45 * SECOND) return "now";
  if (age < HOUR) return `${Math.max(1, Math.round(age / MINUTE))}${THIN}min`;
  if (age < DAY) return `${Math.round(age / HOUR)}${THIN}h`;
  if (age < 7 * DAY) return `${Math.round(age / DAY)}${THIN}d`;
  const date = new Date(at);
  const sameYear = date.getFullYear() === new Date(now).getFullYear();
  return date.toLocaleDateString(undefined, { month: "short", day: "numeric", ...(sameYear ? {} : { year: "numeric" }) });
}

/** "12 s", "3 min 4 s", "1 h 20 min". */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / SECOND));
  if (seconds < 60) return `${seconds}${THIN}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}${THIN}min${seconds % 60 ? ` ${seconds % 60}${THIN}s` : ""}`;
  return `${Math.floor(minutes / 60)}${THIN}h${minutes % 60 ? ` ${minutes % 60}${THIN}min` : ""}`;
}

const compact = new Intl.NumberFormat(undefined, { notation: "compact", maximumFractionDigits: 1 });

/** 182000 → "182K". */
export function tokens(count: number): string {
  return compact.format(count);
}

export function bytes(count: number): string {
  if (count < 1_000) return `${count}${THIN}B`;
  if (count < 1_000_000) return `${(count / 1_000).toFixed(count < 10_000 ? 1 : 0)}${THIN}KB`;
  return `${(count / 1_000_000).toFixed(count < 10_000_000 ? 1 : 0)}${THIN}MB`;
}

export function cost(dollars: number): string {
  return dollars.toLocaleString(undefined, { style: "currency", currency: "USD", minimumFractionDigits: 2, maximumFractionDigits: dollars !== 0 && dollars < 0.1 ? 4 : 2 });
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count.toLocaleString()} ${count === 1 ? one : many}`;
}

/** Path with either slash → its last part. */
export function baseName(path: string): string {
  const parts = path.split(/[/\\]+/).filter(Boolean);
  return parts.at(-1) ?? path;
}

/** A home directory as "~", when the path shows which it is. */
export function shortPath(path: string): string {
  return path.replace(/^(?:\/home\/[^/]+|\/Users\/[^/]+|\/root|[A-Za-z]:[/\\]Users[/\\][^/\\]+)(?=$|[/\\])/, "~");
}

/** Day heading of a list: "Today", "Yesterday", a weekday, a date. */
export function dayName(at: number, now: number): string {
  const startOf = (ms: number) => new Date(ms).setHours(0, 0, 0, 0);
  const days = Math.round((startOf(now) - startOf(at)) / DAY);
  if (days <= 0) return "Today";
  if (days === 1) return "Yesterday";
  const date = new Date(at);
  if (days < 7) return date.toLocaleDateString(undefined, { weekday: "long" });
  return date.toLocaleDateString(undefined, { day: "numeric", month: "long", ...(date.getFullYear() === new Date(now).getFullYear() ? {} : { year: "numeric" }) });
}
