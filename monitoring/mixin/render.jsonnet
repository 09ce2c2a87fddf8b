// All files that are rendered from the mixin, by their path below monitoring/. A group of alerts is a file.
local mixin = import 'mixin.libsonnet';

local note = '# Rendered from monitoring/mixin by make generate. DO NOT EDIT: change the mixin there.\n\n';

{
  ['alerts/%s.yaml' % std.strReplace(group.name, 'calico-', '')]: note + std.manifestYamlDoc({ groups: [group] }, quote_keys=false) + '\n'
  for group in mixin.prometheusAlerts.groups
} + {
  // The list of them, where a reader of the directory finds it.
  'alerts/README.md': std.join('\n', [
    '<!-- Rendered from monitoring/mixin by make generate. DO NOT EDIT: change the mixin there. -->',
    '',
    '# Alerts',
    '',
    '| alert | severity | fires after | while there is an answer to |',
    '| --- | --- | --- | --- |',
  ] + [
    '| [%s](../runbooks/%s.md) | %s | %s | `%s` |' % [
      rule.alert,
      rule.alert,
      rule.labels.severity,
      rule['for'],
      std.join(' ', [word for word in std.split(std.strReplace(std.strReplace(rule.expr, '\n', ' '), '|', '\\|'), ' ') if word != '']),
    ]
    for group in mixin.prometheusAlerts.groups
    for rule in group.rules
  ] + ['']),
} + {
  ['dashboards/' + name]: std.manifestJsonEx(mixin.grafanaDashboards[name], '  ') + '\n'
  for name in std.objectFields(mixin.grafanaDashboards)
}
