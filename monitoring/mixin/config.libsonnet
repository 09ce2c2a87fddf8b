// What sites differ in. Alerts and the colours of dashboards have every number from here, so that both say the same.
{
  _config+:: {
    runbooksURL: 'https://github.com/otelcol-calico/otelcol-calico/blob/main/monitoring/runbooks',

    // Dashboards lead to each other by their tag and their uid.
    dashboardTags: ['calico'],
    dashboards: {
      ipam: 'calico-ipam',
      pool: 'calico-ip-pool',
      node: 'calico-node',
      felix: 'calico-felix',
      typha: 'calico-typha',
      bgp: 'calico-bgp',
      collector: 'calico-collector',
    },

    // The job of a Prometheus that scrapes the collectors' own metrics.
    collectorJob: 'otelcol-calico',

    // An alert fires above the number, unless it says otherwise.
    thresholds: {
      // Of what a pool can give, how much is allocated.
      poolUtilization: 0.85,
      // Below this many days a pool is full, even if it fills as slowly as it ever did.
      poolFullDays: 7,
      // Addresses that the garbage collector took back from a pool, in each of two successive half hours.
      reclaimedPerHalfHour: 5,
      // Within 15 minutes, of one Felix.
      dataplaneFailures: 5,
      iptablesErrors: 5,
      nftablesErrors: 5,
      ipsetErrors: 5,
      // Seconds that Felix takes to bring a change into the dataplane, on average.
      applySeconds: 2,
      // Seconds of the slowest hundredth of Typha's pings to its clients.
      typhaPingSeconds: 1,
      // Of a Typha's clients, how many it dropped within half an hour.
      typhaDroppedRatio: 0.5,
      // How full the queue of an exporter is.
      queueUtilization: 0.8,
      // Of the last 15 minutes, how many something has been down. Less is a restart, or a rollout that goes from node to node.
      downMinutes: 12,
      // BGP peers of a node that has no session: a node with more is one alert of its own, and none for each of its peers.
      isolatedNodePeers: 3,
    },
  },
}
