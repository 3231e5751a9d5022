// Asks a Prometheus as Grafana's data source does and makes its documented frames of the answers.
// (Grafana's own data source is AGPL; this is written from the documented forms.)
import {
  createDataFrame, dateTime, FieldType, rangeUtil, type DataFrame, type TimeRange,
} from '@grafana/data';

export type Variables = Record<string, { text: string; value: string }>;
type Row = {
  metric: Record<string, string>;
  value?: [number, string];
  values?: Array<[number, string]>;
};
/** What Prometheus was asked: panel, target, path, parameters. */
export const asked: Array<[string, string, string, Record<string, string>]> = [];
const SECONDS: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86400, w: 604800 };

/** Puts the values of variables into a text. */
export function filled(text: string, variables: Variables, globals: Record<string, string> = {}) {
  return text.replace(/\$(\w+)|\$\{(\w+)(?::(\w+))?\}/g, (all, plain, braced, format) => {
    const name = plain ?? braced;
    if (name in globals) return globals[name];
    const value = variables[name]?.value;
    if (value === undefined) return all;
    return format === 'queryparam' ? `var-${name}=${encodeURIComponent(value)}` : value;
  });
}

/** The time before `now` (Unix seconds) that a dashboard covers. */
export function coveredBy(board: any, now: number): TimeRange {
  const [, count, unit] = /^now-(\d+)([smhdw])$/.exec(board.time.from)!;
  return before(now * 1000, Number(count) * SECONDS[unit] * 1000);
}

/** The time that a panel covers: its own, or its dashboard's. */
export function covered(panel: any, dashboard: TimeRange): TimeRange {
  if (!panel.timeFrom) return dashboard;
  return before(dashboard.to.valueOf(), rangeUtil.intervalToMs(panel.timeFrom));
}

function before(end: number, milliseconds: number): TimeRange {
  const raw = { from: dateTime(end - milliseconds), to: dateTime(end) };
  return { ...raw, raw };
}

/** The frames that answer the queries of a panel of a width in pixels. */
export async function ask(
  base: string, panel: any, range: TimeRange, width: number, variables: Variables,
  scrape: number, // seconds; what the provisioned data source calls timeInterval
): Promise<DataFrame[]> {
  const least = panel.interval ?? `${scrape}s`;
  const most = panel.maxDataPoints ?? Math.floor(width);
  const { intervalMs } = rangeUtil.calculateInterval(range, most, least);
  const step = Math.max(Math.round(intervalMs / 1000), scrape);
  const [from, to] = [range.from.valueOf() / 1000, range.to.valueOf() / 1000];
  const globals = {
    __interval: `${step}s`,
    __rate_interval: `${Math.max(step + scrape, 4 * scrape)}s`,
    __range: `${Math.round(to - from)}s`,
  };
  const answers = await Promise.all((panel.targets ?? []).map(async (target: any) => {
    const query = filled(target.expr, variables, globals);
    const aligned = (t: number) => String(Math.floor(t / step) * step);
    const span = { query, start: aligned(from), end: aligned(to), step: String(step) };
    const [path, parameters] = target.instant
      ? ['query', { query, time: String(to) }] : ['query_range', span];
    asked.push([panel.title, target.refId, path, parameters as any]);
    const rows = await get(base, path, parameters as any);
    return { target, rows, query };
  }));
  const several = answers.filter((a) => a.target.format === 'table' && a.rows.length).length > 1;
  return answers.flatMap(({ target, rows, query }) => {
    if (target.format !== 'table') return rows.map((row) => curve(target, row, query, step));
    return rows.length ? [table(target, rows, several)] : [];
  });
}

async function get(base: string, path: string, parameters: Record<string, string>) {
  const body = new URLSearchParams(parameters);
  const answer = await (await fetch(`${base}/api/v1/${path}`, { method: 'POST', body })).json();
  if (answer.status !== 'success') throw new Error(answer.error);
  return answer.data.result as Row[];
}

function curve(target: any, row: Row, query: string, step: number): DataFrame {
  const points = row.values ?? [row.value!];
  const { __name__: _, ...labels } = row.metric;
  const put = (_: string, name: string) => row.metric[name] ?? '';
  const legend = target.legendFormat.replace(/\{\{\s*(\w+)\s*\}\}/g, put) || query;
  const times = points.map(([t]) => t * 1000);
  const values = points.map(([, v]) => Number(v));
  return createDataFrame({
    refId: target.refId,
    name: legend,
    fields: [
      { name: 'Time', type: FieldType.time, values: times, config: { interval: step * 1000 } },
      {
        name: 'Value', type: FieldType.number, values, labels,
        config: { displayNameFromDS: legend },
      },
    ],
  });
}

function table(target: any, rows: Row[], several: boolean): DataFrame {
  const names = [...new Set(rows.flatMap((row) => Object.keys(row.metric)))].sort();
  return createDataFrame({
    refId: target.refId,
    fields: [
      { name: 'Time', type: FieldType.time, values: rows.map((row) => row.value![0] * 1000) },
      ...names.map((name) => ({
        name, type: FieldType.string, values: rows.map((row) => row.metric[name] ?? ''),
      })),
      {
        name: several ? `Value #${target.refId}` : 'Value',
        type: FieldType.number,
        values: rows.map((row) => Number(row.value![1])),
      },
    ],
  });
}
