// What Grafana's core wraps around its published components to make panels of them.
import { getDisplayValueAlignmentFactors, getFieldDisplayValues, renderTextPanelMarkdown,
} from '@grafana/data';
import { BarGauge, BigValue, TimeSeries, useTheme2, VizRepeater } from '@grafana/ui';
import { TableNG } from '@grafana/ui/unstable';
import type { FC } from 'react';
import { Rows } from './rows';

export function Words({ text }: { text: string }) {
  const { colors } = useTheme2();
  const centre = { display: 'flex', alignItems: 'center', justifyContent: 'center' };
  return <div style={{ ...centre, height: '100%', color: colors.text.secondary }}>{text}</div>;
}

/** Draws each value of a panel by itself. */
function Each({ panel, frames, width, height, fieldConfig, replace, render, ...more }: any) {
  const theme = useTheme2();
  const { reduceOptions, orientation } = panel.options;
  const values = () => getFieldDisplayValues({
    fieldConfig, reduceOptions, replaceVariables: replace, theme, data: frames, timeZone: 'utc',
  });
  return <VizRepeater getValues={values} width={width} height={height} source={frames}
    getAlignmentFactors={getDisplayValueAlignmentFactors as any} renderCounter={0}
    orientation={orientation} renderValue={render(theme)} {...more} />;
}

function Stat(all: any) {
  const { colorMode, graphMode, justifyMode, textMode, text, wideLayout } = all.panel.options;
  const look = { colorMode, graphMode, justifyMode, textMode, text };
  const render = (theme: any) => ({ value, ...place }: any) =>
    <BigValue value={value.display} theme={theme} disableWideLayout={!wideLayout}
      hasLinks={Boolean(value.hasLinks)} {...look} {...place} />;
  return <Each {...all} render={render} autoGrid itemSpacing={3} />;
}

function Bars(all: any) {
  const { displayMode, showUnfilled, valueMode, namePlacement, text } = all.panel.options;
  const { minVizWidth, minVizHeight, maxVizHeight } = all.panel.options;
  const look = { displayMode, showUnfilled, namePlacement, text, valueDisplayMode: valueMode };
  const render = (theme: any) => ({ value, count, alignmentFactors, ...place }: any) =>
    <BarGauge value={value.display} field={value.field} theme={theme} itemSpacing={10}
      display={value.view?.getFieldDisplayProcessor(value.colIndex)} lcdCellWidth={12}
      alignmentFactors={count > 1 ? alignmentFactors : undefined} {...look} {...place} />;
  const sizes = { minVizWidth, minVizHeight, maxVizHeight };
  return <Each {...all} render={render} itemSpacing={10} {...sizes} />;
}

// Rows that are scrolled out of sight are drawn too, or nobody could check them.
function Table({ panel, frames, width, height, fieldConfig, range }: any) {
  const { showHeader, showTypeIcons, sortBy, cellHeight } = panel.options;
  return <TableNG data={frames[0]} width={width} height={height} noHeader={!showHeader} resizable
    showTypeIcons={showTypeIcons} sortBy={sortBy} sortByBehavior="initial" cellHeight={cellHeight}
    timeRange={range} fieldConfig={fieldConfig} noValue={fieldConfig.defaults.noValue}
    structureRev={1} enableVirtualization={false} />;
}

function Curves({ panel, frames, width, height, range }: any) {
  return <TimeSeries frames={frames} width={width} height={height} timeRange={range}
    timeZone="utc" structureRev={1} legend={panel.options.legend} options={panel.options} />;
}

function Text({ panel }: any) {
  const html = renderTextPanelMarkdown(panel.options.content);
  return <div className="markdown-html" dangerouslySetInnerHTML={{ __html: html }} />;
}

/** Says so itself where there is nothing to draw; the others say it instead of a value. */
const orNothing = (Drawn: FC<any>): FC<any> => (all) =>
  all.frames.some((frame: any) => frame.length) ? <Drawn {...all} />
    : <Words text={all.fieldConfig.defaults.noValue ?? 'No data'} />;

export const PLUGINS: Record<string, FC<any>> = {
  stat: Stat, bargauge: Bars, text: Text, table: orNothing(Table), timeseries: orNothing(Curves),
  'state-timeline': orNothing(Rows), 'status-history': orNothing(Rows),
};
/** Drawn by us, and marked so on the picture. */
export const OURS = new Set(['state-timeline', 'status-history']);
/** Neither published nor drawn by us: an empty panel says so. */
export const ABSENT = new Set(['heatmap', 'alertlist']);
