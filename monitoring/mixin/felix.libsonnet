// What alerts and the dashboard say of Felix in the same words of PromQL.
{
  // Counters of errors, by what they are about. Not every Calico has all: those of nftables came with 3.29, and Windows has none.
  failures: ['felix_int_dataplane_failures'],
  iptables: ['felix_iptables_save_errors', 'felix_iptables_restore_errors'],
  nftables: ['felix_nft_errors', 'felix_nft_list_errors', 'felix_nft_set_errors'],
  ipsets: ['felix_ipset_errors'],

  // One Felix. It is on the network of its node, so that both labels outlive its pod. Endpoints that were configured by hand have no node.
  one: 'k8s_cluster_name, k8s_node_name, instance',

  // counted is what a function says of several counters together, for each value of the labels. A counter that is missing counts as nothing: with + there
  // would be no sum at all. All but the first get a label, because series that differ in their names alone are the same to `or`.
  counted(func, counters, window, selector='', labels=self.one)::
    local part(name) = '%s(%s%s[%s])' % [func, name, if selector == '' then '' else '{%s}' % selector, window];
    local parts = [part(counters[0])] + [
      'label_replace(%s, "counter", "%s", "", "")' % [part(counters[i]), ['second', 'third'][i - 1]]
      for i in std.range(1, std.length(counters) - 1)
    ];
    self.sum(labels) + '(%s)' % if std.length(parts) == 1 then parts[0] else '\n  %s\n' % std.join('\n  or ', parts),

  // sum adds up, for each value of the labels, if there are any.
  sum(labels):: if labels == '' then 'sum' else 'sum by (%s) ' % labels,
}
