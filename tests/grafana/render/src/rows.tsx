// Our own drawing of state-timeline and status-history, which npm does not have. Colours and texts
// come from Grafana's display processors; the geometry is ours, and proves nothing about Grafana's.
import { dateTimeFormat, FieldType, getFieldDisplayName, type DataFrame } from '@grafana/data';
import { measureText, useTheme2, VizLegend } from '@grafana/ui';

type Span = { from: number; to: number; value: unknown };
const HOUR = 3600e3;
const TICKS = [1 / 12, 1 / 6, 1 / 2, 1, 3, 6, 12, 24, 72, 168, 336].map((h) => h * HOUR);
const AXIS = 22, LEGEND = 26, PAGER = 26;

function rowsOf(frames: DataFrame[]) {
  return frames.flatMap((frame) => {
    const time = frame.fields.find((field) => field.type === FieldType.time)!;
    return frame.fields.filter((field) => field !== time).map((field) => ({
      field,
      times: time.values as number[],
      step: (time.config.interval ?? 60000) as number,
      name: getFieldDisplayName(field, frame, frames),
    }));
  });
}
type Row = ReturnType<typeof rowsOf>[number];

/** Equal values that follow each other are one stretch; a cell is a stretch for itself. */
function spans(row: Row, cell: number | null): Span[] {
  const found: Span[] = [];
  row.times.forEach((at, i) => {
    const value = row.field.values[i];
    const last = found[found.length - 1];
    const half = (row.step * (cell ?? 0)) / 2;
    if (cell !== null) found.push({ from: at - half, to: at + half, value });
    else if (last?.value === value && at - last.to < row.step / 2) last.to = at + row.step;
    else found.push({ from: at, to: at + row.step, value });
  });
  return found;
}

export function Rows({ panel, frames, width, height, range, fieldConfig }: any) {
  const theme = useTheme2();
  const options = panel.options;
  const all = rowsOf(frames);
  const shown = all.slice(0, options.perPage);
  const pages = Math.ceil(all.length / options.perPage);
  const below = AXIS + (options.legend.showLegend ? LEGEND : 0) + (pages > 1 ? PAGER : 0);
  const names = Math.max(...shown.map((row) => measureText(row.name, 12).width));
  const left = Math.min(names + 14, width * 0.3);
  const [from, to, room] = [range.from.valueOf(), range.to.valueOf(), width - left - 6];
  const inside = (at: number) => (Math.min(Math.max(at, from), to) - from) / (to - from);
  const place = (at: number) => left + inside(at) * room;
  const each = (height - below) / shown.length;
  const opacity = fieldConfig.defaults.custom.fillOpacity / 100;
  const cell = panel.type === 'status-history' ? options.colWidth : null;

  const stretch = (row: Row, span: Span, y: number, key: number) => {
    const { color, text } = row.field.display!(span.value);
    const [x, end] = [place(span.from), place(span.to)];
    const fits = options.showValue !== 'never' && end - x > measureText(text, 12).width + 8;
    const start = options.alignValue === 'left';
    const high = each * options.rowHeight;
    return <g key={key}>
      <rect x={x} y={y + (each - high) / 2} width={Math.max(end - x, 1)} height={high}
        fill={color} fillOpacity={opacity} />
      {fits && <text x={start ? x + 4 : (x + end) / 2} y={y + each / 2} dominantBaseline="middle"
        textAnchor={start ? 'start' : 'middle'}
        fill={theme.colors.getContrastText(color!, 3)}>{text}</text>}
    </g>;
  };

  const tick = TICKS.find((one) => (to - from) / one <= room / 90) ?? TICKS[TICKS.length - 1];
  const ticks = [];
  for (let at = Math.ceil(from / tick) * tick; at <= to - tick / 4; at += tick) ticks.push(at);
  const format = tick >= 24 * HOUR ? 'MM/DD' : 'HH:mm';
  const seen = new Map(all.flatMap(({ field }) =>
    field.values.map((value) => field.display!(value)).map(({ text, color }) => [text, color])));
  const words = [...seen].map(([label, color]) => ({ label, color, yAxis: 1 })) as any;
  return <div style={{ width, height }}>
    <svg width={width} height={height - below + AXIS}
      style={{ fontFamily: theme.typography.fontFamily, fontSize: 12, display: 'block' }}>
      {shown.map((row, i) => <g key={i}>
        <text x={left - 8} y={each * (i + 0.5)} textAnchor="end" dominantBaseline="middle"
          fill={theme.colors.text.primary}>{row.name}</text>
        {spans(row, cell).map((span, k) => stretch(row, span, each * i, k))}
      </g>)}
      {ticks.map((at) => <text key={at} x={place(at)} y={height - below + 15} textAnchor="middle"
        fill={theme.colors.text.primary}>{dateTimeFormat(at, { format, timeZone: 'utc' })}</text>)}
    </svg>
    {pages > 1 && <div style={{ height: PAGER, textAlign: 'right' }}>1 of {pages}</div>}
    {options.legend.showLegend &&
      <VizLegend items={words} placement={'bottom' as any} displayMode={'list' as any} />}
  </div>;
}
