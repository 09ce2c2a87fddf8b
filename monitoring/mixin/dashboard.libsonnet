// Dashboards in Grafana's own JSON, of few kinds of panels, so that all look and behave alike.
//
// Colours are those of Okabe and Ito, which people with any kind of colour vision tell apart; where many series share a panel, the scale from yellow to
// blue says how high each is.
local colors = {
  fine: '#56B4E9',
  warning: '#E69F00',
  critical: '#D55E00',
  // In this order for the queries of a panel.
  series: ['#0072B2', '#E69F00', '#009E73', '#CC79A7', '#56B4E9', '#D55E00', '#F0E442', '#999999'],
};

local datasource = { type: 'prometheus', uid: '${datasource}' };

// refID names a query: A, B, …
local refID(i) = std.char(std.codepoint('A') + i);

local target(i, query) = {
  refId: refID(i),
  datasource: datasource,
  expr: query.expr,
  legendFormat: std.get(query, 'legend', '__auto'),
  range: !std.get(query, 'instant', false),
  instant: std.get(query, 'instant', false),
  format: std.get(query, 'format', 'time_series'),
};

local steps(warning, critical) =
  [{ color: colors.fine, value: null }]
  + (if warning == null then [] else [{ color: colors.warning, value: warning }])
  + (if critical == null then [] else [{ color: colors.critical, value: critical }]);

// inUnit is the unit of numbers. An IPv6 pool is full to a hundred-trillionth of a percent, which nobody wants to read.
local inUnit(unit) = { unit: unit } + (if unit == 'percentunit' then { decimals: 1 } else {});

// panel is what all kinds have. Its unit is one of Grafana's.
local panel(type, title, description, unit, queries) = {
  type: type,
  title: title,
  description: description,
  datasource: datasource,
  targets: std.mapWithIndex(target, queries),
  fieldConfig: { defaults: inUnit(unit) + { thresholds: { mode: 'absolute', steps: steps(null, null) } }, overrides: [] },
  options: {},
};

{
  // query is an expression, what its series are called, and the colour that says what they mean, if they mean it.
  query(expr, legend, color=null):: { expr: std.rstripChars(expr, '\n'), legend: legend, color: color },
  fine:: colors.fine,
  warning:: colors.warning,
  critical:: colors.critical,

  // timeseries draws queries over time. A query of several series has them in the colours of a scale.
  timeseries(title, description, unit, queries):: panel('timeseries', title, description, unit, queries) + {
    local several = std.length(queries) == 1,
    fieldConfig+: {
      defaults+: {
        min: 0,
        color: if several then { mode: 'continuous-YlBl', seriesBy: 'last' } else { mode: 'fixed', fixedColor: colors.series[0] },
        custom: { drawStyle: 'line', lineWidth: 2, fillOpacity: 0, showPoints: 'never', spanNulls: false },
      },
      overrides: if several then [] else std.mapWithIndex(
        function(i, q) {
          matcher: { id: 'byFrameRefID', options: refID(i) },
          properties: [{ id: 'color', value: { mode: 'fixed', fixedColor: if q.color == null then colors.series[i] else q.color } }],
        }, queries
      ),
    },
    options: {
      legend: { showLegend: true, displayMode: 'table', placement: 'bottom', calcs: ['lastNotNull', 'max'], sortBy: 'Last *', sortDesc: true },
      tooltip: { mode: 'multi', sort: 'desc' },
    },
  },

  // stat shows the last number of a query.
  stat(title, description, unit, expr, legend='__auto'):: panel('stat', title, description, unit, [{ expr: expr, legend: legend, instant: true }]) + {
    fieldConfig+: { defaults+: { color: { mode: 'thresholds' } } },
    options: {
      reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false },
      colorMode: 'value',
      graphMode: 'none',
      justifyMode: 'auto',
      orientation: 'auto',
      textMode: 'auto',
    },
  },

  // bars shows the last number of each series of a query as a bar.
  bars(title, description, unit, expr, legend):: panel('bargauge', title, description, unit, [{ expr: expr, legend: legend, instant: true }]) + {
    fieldConfig+: { defaults+: { min: 0, color: { mode: 'thresholds' } } },
    options: { reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false }, displayMode: 'basic', orientation: 'horizontal', showUnfilled: true },
  },

  // table has a row for each set of labels, and a column for each query: {expr, name, unit} and what else its column is, as said below.
  table(title, description, hidden, queries):: panel('table', title, description, 'none', [q { instant: true, format: 'table' } for q in queries]) + {
    fieldConfig+: {
      overrides: std.mapWithIndex(
        function(i, q) {
          matcher: { id: 'byName', options: q.name },
          local properties = inUnit(q.unit),
          properties: [{ id: id, value: properties[id] } for id in std.objectFields(properties)] + std.get(q, 'properties', []),
        }, queries
      ),
    },
    options: { showHeader: true, cellHeight: 'sm' },
    transformations: [
      { id: 'merge', options: {} },
      {
        id: 'organize',
        options: {
          excludeByName: { [label]: true for label in ['Time', 'job', 'instance'] + hidden },
          renameByName: if std.length(queries) == 1 then { Value: queries[0].name }
          else { ['Value #' + refID(i)]: queries[i].name for i in std.range(0, std.length(queries) - 1) },
        },
      },
    ],
  },

  // colored are properties of a table's column whose numbers have the colours of thresholds.
  colored(warning, critical):: [
    { id: 'thresholds', value: { mode: 'absolute', steps: steps(warning, critical) } },
    { id: 'custom.cellOptions', value: { type: 'color-text' } },
  ],

  // linked are properties of a table's column that leads to another dashboard, of what is in the row.
  linked(title, uid, variables):: [
    {
      id: 'links',
      value: [{
        title: title,
        url: '/d/%s?${datasource:queryparam}&${__url_time_range}%s' % [uid, std.join('', ['&var-%s=${__data.fields.%s}' % [v, variables[v]] for v in std.objectFields(variables)])],
      }],
    },
  ],

  // thresholds are the numbers from which on a panel changes its colour.
  thresholds(warning, critical=null):: { fieldConfig+: { defaults+: { thresholds: { mode: 'absolute', steps: steps(warning, critical) } } } },
  // lines draws them.
  lines:: { fieldConfig+: { defaults+: { custom+: { thresholdsStyle: { mode: 'dashed' } } } } },
  max(value):: { fieldConfig+: { defaults+: { max: value } } },
  stacked:: { fieldConfig+: { defaults+: { custom+: { stacking: { mode: 'normal', group: 'A' }, fillOpacity: 60 } } } },

  // size is the width of a panel, of 24, and its height.
  size(w, h):: { gridPos: { w: w, h: h } },

  // runbook leads from a panel to what is to be done about an alert.
  runbook(config, alert):: { links: [{ title: 'Runbook of ' + alert, url: '%s/%s.md' % [config.runbooksURL, alert], targetBlank: true }] },

  // variable is one that a query has the values of, all of them at first.
  variable(name, label, query):: {
    type: 'query',
    name: name,
    label: label,
    datasource: datasource,
    query: { query: query, refId: name },
    definition: query,
    refresh: 2,
    sort: 1,
    multi: true,
    includeAll: true,
    allValue: '.*',
    current: { text: ['All'], value: ['$__all'] },
    options: [],
    hide: 0,
    regex: '',
  },

  // one is a variable with one value at a time.
  one:: { multi: false, includeAll: false, allValue: null, current: {} },

  // row is a title above panels.
  row(title, panels):: { title: title, panels: panels },

  // dashboard lays panels out, from left to right and row by row.
  dashboard(config, uid, title, description, variables, rows):: {
    local placed = std.foldl(
      function(state, p)
        local wraps = state.x + p.gridPos.w > 24;
        local x = if wraps then 0 else state.x;
        local y = if wraps then state.y + state.h else state.y;
        {
          x: x + p.gridPos.w,
          y: y,
          h: if wraps then p.gridPos.h else std.max(state.h, p.gridPos.h),
          panels: state.panels + [p { gridPos+: { x: x, y: y }, id: std.length(state.panels) + 1 }],
        },
      std.flatMap(
        function(r) [{ type: 'row', title: r.title, collapsed: false, panels: [], gridPos: { w: 24, h: 1 } }] + r.panels, rows
      ),
      { x: 24, y: 0, h: 0, panels: [] }
    ),

    uid: uid,
    title: title,
    description: description,
    tags: config.dashboardTags,
    schemaVersion: 42,
    editable: true,
    graphTooltip: 1,
    timezone: 'browser',
    refresh: '1m',
    time: { from: 'now-6h', to: 'now' },
    annotations: { list: [] },
    links: [
      {
        type: 'dashboards',
        title: 'Calico',
        tags: config.dashboardTags,
        asDropdown: true,
        includeVars: true,
        keepTime: true,
        targetBlank: false,
        icon: 'external link',
        tooltip: '',
        url: '',
      },
      {
        type: 'link',
        title: 'Runbooks',
        tags: [],
        asDropdown: false,
        includeVars: false,
        keepTime: false,
        targetBlank: true,
        icon: 'doc',
        tooltip: 'What each alert means, and what to do',
        url: config.runbooksURL,
      },
    ],
    templating: {
      list: [
        {
          type: 'datasource',
          name: 'datasource',
          label: 'Data source',
          query: 'prometheus',
          refresh: 1,
          multi: false,
          includeAll: false,
          current: {},
          options: [],
          hide: 0,
          regex: '',
        },
      ] + variables,
    },
    panels: placed.panels,
  },
}
