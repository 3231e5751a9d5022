// Draws one dashboard from its JSON with Grafana's published components and a Prometheus' answers.
// window.__JOB says what to draw; window.__done is true when it is drawn; window.__faults() tells
// what is wrong with it, window.__texts() what is written on it, window.__asked what was asked.
import {
  applyFieldOverrides, cacheFieldDisplayNames, createTheme, EventBusSrv, ThemeContext,
  transformDataFrame, type DataFrame,
} from '@grafana/data';
import { initPluginTranslations } from '@grafana/i18n';
import { GlobalStyles, PanelChrome, PanelContextProvider, useTheme2 } from '@grafana/ui';
import { Component, useEffect, useMemo, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { lastValueFrom } from 'rxjs';
import { ask, asked, covered, coveredBy, filled, type Variables } from './data';
import { faults } from './faults';
import { texts } from './texts';
import { register, registry, settings, unknown } from './options';
import { ABSENT, OURS, PLUGINS, Words } from './plugins';

type Job = {
  base: string; now: number; theme: 'dark' | 'light'; width: number; board: any;
  variables: Variables;
};
const page = window as any;
const job: Job = page.__JOB;
const problems: string[] = [];
let waiting = 0;
const CELL = 30, GAP = 8, COLUMNS = 24, MARGIN = 16; // pixels and columns of Grafana's grid
const EVENTS = { eventsScope: 'drawn', eventBus: new EventBusSrv() };

/** Fills in variables, and in a link of a cell what is in its row; Grafana's core would. */
function replace(text: string, scoped?: any) {
  const at = scoped?.__dataContext?.value;
  const ofRow = (all: string, name: string) => {
    const field = at?.frame.fields.find((one: any) => one.name === name);
    return at ? encodeURIComponent(field?.values[at.rowIndex] ?? '') : all;
  };
  return filled(text.replace(/\$\{__data\.fields\.(\w+):percentencode\}/g, ofRow), job.variables,
    { __url_time_range: `from=${job.board.time.from}&to=now` });
}

async function framesOf(panel: any, range: any, width: number, theme: any) {
  const raw = await ask(job.base, panel, range, width, job.variables, job.scrape);
  const context: any = { interpolate: replace };
  const data = panel.transformations?.length
    ? await lastValueFrom(transformDataFrame(panel.transformations, raw, context)) : raw;
  const frames = applyFieldOverrides({
    data, fieldConfig: settings(panel), fieldConfigRegistry: registry,
    replaceVariables: replace as any, theme, timeZone: 'utc',
  });
  cacheFieldDisplayNames(frames);
  return frames;
}

function Panel({ panel, width, height }: { panel: any; width: number; height: number }) {
  const theme = useTheme2();
  const [frames, found] = useState<DataFrame[]>();
  const range = useMemo(() => covered(panel, coveredBy(job.board, job.now)), [panel]);
  useEffect(() => {
    waiting++;
    framesOf(panel, range, width - 16, theme)
      .then(found)
      .catch((error) => problems.push(`${panel.title}: error: ${error.message}`))
      .finally(() => waiting--);
  }, []);
  const ours = OURS.has(panel.type) && '◇ our drawing';
  const notes = [panel.timeFrom && `Last ${panel.timeFrom}`, ours];
  const Drawn = PLUGINS[panel.type];
  const quiet = { fontSize: 12, color: theme.colors.text.secondary, whiteSpace: 'nowrap' } as const;
  return <PanelChrome title={filled(panel.title, job.variables)} description={panel.description}
    width={width} height={height}
    titleItems={<span style={quiet}>{notes.filter(Boolean).join(' ')}</span>}>
    {(inner, high) => ABSENT.has(panel.type)
      ? <Words text={`${panel.type}: npm does not have this panel, and we do not draw it`} />
      : frames && <Guard title={panel.title}><PanelContextProvider value={EVENTS as any}>
        <Drawn panel={panel} frames={frames} width={inner} height={high} range={range}
          fieldConfig={settings(panel)} replace={replace} />
      </PanelContextProvider></Guard>}
  </PanelChrome>;
}

class Guard extends Component<any, { error?: Error }> {
  state: { error?: Error } = {};
  static getDerivedStateFromError(error: Error) {
    return { error };
  }
  componentDidCatch(error: Error) {
    problems.push(`${this.props.title}: error: ${error.message}`);
  }
  render() {
    return this.state.error ? <Words text={String(this.state.error)} /> : this.props.children;
  }
}

function Head() {
  const { colors } = useTheme2();
  const labels = new Map(job.board.templating.list.map((one: any) => [one.name, one.label]));
  const chip = { border: `1px solid ${colors.border.medium}`, borderRadius: 4, padding: '3px 8px' };
  return <div style={{ height: 46, display: 'flex', gap: 8, alignItems: 'center', fontSize: 12 }}>
    <b style={{ fontSize: 14, marginRight: 12 }}>{job.board.title}</b>
    {Object.entries(job.variables).map(([name, { text }]) =>
      <span key={name} style={chip}>{String(labels.get(name))}: {text}</span>)}
    <span style={{ marginLeft: 'auto', color: colors.text.secondary }}>
      {job.board.time.from} to now · drawn with @grafana/ui, no Grafana server</span>
  </div>;
}

function Board() {
  const theme = useTheme2();
  const column = (job.width - 2 * MARGIN - GAP * (COLUMNS - 1)) / COLUMNS;
  const panels = job.board.panels.flatMap((one: any) => [one, ...(one.panels ?? [])]);
  const bottom = Math.max(...panels.map(({ gridPos: at }: any) => at.y + at.h));
  const one = (panel: any) => {
    const at = panel.gridPos;
    const [width, height] = [column * at.w + GAP * (at.w - 1), CELL * at.h + GAP * (at.h - 1)];
    const [left, top] = [at.x * (column + GAP), at.y * (CELL + GAP)];
    return <div key={panel.id} data-panel={panel.title}
      style={{ position: 'absolute', left, top, width, height }}>
      {panel.type === 'row' ? <div style={theme.typography.h4 as any}>{panel.title}</div>
        : <Panel panel={panel} width={width} height={height} />}
    </div>;
  };
  const outer = { padding: `0 ${MARGIN}px ${MARGIN}px`, boxSizing: 'border-box' } as const;
  return <div style={{ width: job.width, ...outer }}>
    <Head />
    <div style={{ position: 'relative', height: bottom * (CELL + GAP) }}>{panels.map(one)}</div>
  </div>;
}

async function start() {
  register();
  await initPluginTranslations('service-registry-render');
  await document.fonts.ready;
  for (const panel of job.board.panels) {
    const ids = unknown(panel);
    if (ids.length) problems.push(`${panel.title}: unknown option: ${ids.join(', ')}`);
  }
  const theme = createTheme({ colors: { mode: job.theme } });
  page.grafanaBootData = { user: {}, settings: {} };
  document.body.style.background = theme.colors.background.canvas;
  page.__faults = () => [...problems, ...faults()];
  page.__texts = texts;
  page.__asked = asked;
  createRoot(document.getElementById('root')!).render(
    <ThemeContext.Provider value={theme}><GlobalStyles /><Board /></ThemeContext.Provider>);
  // Legends and tables measure themselves once more after they have their data.
  const done = () => waiting ? setTimeout(done, 50) : setTimeout(() => (page.__done = true), 500);
  setTimeout(done, 300);
}
void start();
