// One alert, as all of them are.
{
  // rule fires when expr has answers for as long as wait. It has a summary of one line, and a description with the numbers.
  rule(name, severity, wait, expr, summary, description):: {
    alert: name,
    expr: std.rstripChars(expr, '\n') + '\n',
    'for': wait,
    labels: { severity: severity },
    annotations: {
      summary: summary,
      description: std.strReplace(std.rstripChars(description, '\n'), '\n', ' '),
    },
  },

  // withRunbook says where it is written what to do: in the file of the alert's name.
  withRunbook(config, rule):: rule { annotations+: { runbook_url: '%s/%s.md' % [config.runbooksURL, rule.alert] } },

  // count is the value as a number of something.
  count(noun):: '{{ $value | humanize }} %s{{ if ne $value 1.0 }}s{{ end }}' % noun,

  // inCluster ends a sentence with the name of the cluster, if it has one.
  inCluster: '{{ with $labels.k8s_cluster_name }} in cluster {{ . }}{{ end }}',

  // node is the node of what a rule is about, or its address where it was configured by hand and has no node.
  node: '{{ or $labels.k8s_node_name $labels.instance }}',
}
