// The monitoring of Calico as a mixin: what is in monitoring/alerts and monitoring/dashboards, for those who render it with their own _config.
local alert = import 'alert.libsonnet';

(import 'config.libsonnet')
+ (import 'alerts/ipam.libsonnet')
+ (import 'alerts/components.libsonnet')
+ (import 'alerts/felix.libsonnet')
+ (import 'alerts/typha.libsonnet')
+ (import 'alerts/bgp.libsonnet')
+ (import 'alerts/collector.libsonnet')
+ (import 'dashboards/ipam.libsonnet')
+ (import 'dashboards/pool.libsonnet')
+ (import 'dashboards/node.libsonnet')
+ (import 'dashboards/felix.libsonnet')
+ (import 'dashboards/typha.libsonnet')
+ (import 'dashboards/bgp.libsonnet')
+ (import 'dashboards/collector.libsonnet')
+ {
  prometheusAlerts+:: {
    groups: [group { rules: [alert.withRunbook($._config, rule) for rule in group.rules] } for group in super.groups],
  },
}
