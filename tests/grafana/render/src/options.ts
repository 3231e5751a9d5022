// What Grafana's core registers at its start and npm does not have: the options of fields.
import {
  booleanOverrideProcessor, dataLinksOverrideProcessor, displayNameOverrideProcessor,
  FieldConfigOptionsRegistry, identityOverrideProcessor, numberOverrideProcessor,
  standardFieldConfigEditorRegistry, standardTransformers, standardTransformersRegistry,
  stringOverrideProcessor, thresholdsOverrideProcessor, unitOverrideProcessor,
  valueMappingsOverrideProcessor,
} from '@grafana/data';

const STANDARD: Record<string, any> = {
  displayName: displayNameOverrideProcessor, unit: unitOverrideProcessor,
  min: numberOverrideProcessor, max: numberOverrideProcessor,
  fieldMinMax: booleanOverrideProcessor, decimals: numberOverrideProcessor,
  color: identityOverrideProcessor, noValue: stringOverrideProcessor,
  links: dataLinksOverrideProcessor, thresholds: thresholdsOverrideProcessor,
  mappings: valueMappingsOverrideProcessor, filterable: booleanOverrideProcessor,
  description: stringOverrideProcessor,
};
const HIDE = { hideFrom: { legend: false, tooltip: false, viz: false } };
/** The options of each plugin's own with their defaults, as its schema documents them. */
const CUSTOM: Record<string, Record<string, unknown>> = {
  table: {
    align: 'auto', cellOptions: { type: 'auto' }, inspect: false, filterable: false,
    width: undefined, minWidth: undefined, wrapText: undefined, wrapHeaderText: undefined,
    ...HIDE,
  },
  timeseries: {
    drawStyle: 'line', lineInterpolation: 'linear', lineWidth: 1, fillOpacity: 0,
    gradientMode: 'none', spanNulls: false, insertNulls: false, showPoints: 'auto', pointSize: 5,
    stacking: { mode: 'none', group: 'A' }, barAlignment: 0, barWidthFactor: 0.6,
    axisPlacement: 'auto', axisLabel: '', axisColorMode: 'text', axisBorderShow: false,
    axisCenteredZero: false, axisSoftMin: undefined, axisSoftMax: undefined,
    axisWidth: undefined, axisGridShow: undefined, lineStyle: undefined,
    scaleDistribution: { type: 'linear' }, thresholdsStyle: { mode: 'off' }, ...HIDE,
  },
  'state-timeline': {
    lineWidth: 0, fillOpacity: 70, spanNulls: false, insertNulls: false, ...HIDE,
  },
  'status-history': { lineWidth: 1, fillOpacity: 70, ...HIDE },
};

export const registry = new FieldConfigOptionsRegistry();

const option = (id: string, process: any, custom = false): any => ({
  id: custom ? `custom.${id}` : id, path: id, name: id, isCustom: custom, process,
  editor: () => null, override: () => null, shouldApply: () => true, settings: {}, category: [],
});

/** Registers options and transformations; must run before anything is drawn. */
export function register() {
  const standard = Object.entries(STANDARD).map(([id, process]) => option(id, process));
  standardFieldConfigEditorRegistry.setInit(() => standard);
  standard.forEach((one) => registry.register(one));
  for (const id of new Set(Object.values(CUSTOM).flatMap(Object.keys))) {
    registry.register(option(id, identityOverrideProcessor, true));
  }
  // standardTransformers has aliases, and an id may be registered once.
  const byId = new Map(Object.values(standardTransformers).map((one: any) => [one.id, one]));
  standardTransformersRegistry.setInit(() => [...byId.values()].map((one: any): any => ({
    id: one.id, name: one.name, transformation: () => Promise.resolve(one),
    editor: () => null, imageDark: '', imageLight: '',
  })));
}

/** The settings of a panel's fields with its plugin's defaults. */
export function settings(panel: any): any {
  const { defaults = {}, overrides = [] } = panel.fieldConfig ?? {};
  const custom = { ...CUSTOM[panel.type], ...defaults.custom };
  return { defaults: { ...defaults, custom }, overrides };
}

/** The options that a panel sets and nobody knows: Grafana would silently ignore them. */
export function unknown(panel: any): string[] {
  const { defaults = {}, overrides = [] } = panel.fieldConfig ?? {};
  const { custom = {}, ...plain } = defaults;
  const own = Object.keys(CUSTOM[panel.type] ?? {}).map((id) => `custom.${id}`);
  const known = new Set([...Object.keys(STANDARD), ...own]);
  const set = [
    ...Object.keys(plain),
    ...(panel.type === 'heatmap' ? [] : Object.keys(custom).map((id) => `custom.${id}`)),
    ...overrides.flatMap((one: any) => one.properties.map((property: any) => property.id)),
  ];
  return set.filter((id) => !known.has(id));
}
