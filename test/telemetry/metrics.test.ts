import { describe, expect, it } from "vitest";
import { createMetrics } from "../../src/telemetry/metrics.js";

describe("createMetrics", () => {
  it("writes the Prometheus text format", () => {
    const metrics = createMetrics();
    const sessions = metrics.counter("sluice_sessions_total", "Sessions\nthat were \\ asked for.");
    sessions.inc(1, { outcome: "admitted" });
    sessions.inc(2, { outcome: 're"fused\n' });
    sessions.inc(1, { outcome: "admitted" });
    metrics.gauge("sluice_pool_used_bits_per_second", "Used.").set(80_000);
    let free = 1;
    metrics.observe("sluice_free", "Free.", () => [{ value: free, labels: { b: "2", a: "1" } }]);
    free = Number.POSITIVE_INFINITY;
    expect(metrics.render()).toBe(
      `# HELP sluice_sessions_total Sessions\\nthat were \\\\ asked for.
# TYPE sluice_sessions_total counter
sluice_sessions_total{outcome="admitted"} 2
sluice_sessions_total{outcome="re\\"fused\\n"} 2
# HELP sluice_pool_used_bits_per_second Used.
# TYPE sluice_pool_used_bits_per_second gauge
sluice_pool_used_bits_per_second 80000
# HELP sluice_free Free.
# TYPE sluice_free gauge
sluice_free{a="1",b="2"} +Inf
`,
    );
  });

  it("refuses defects: bad and double names, falling counters", () => {
    const metrics = createMetrics();
    const counter = metrics.counter("a_total", "A.");
    expect(() => metrics.gauge("a_total", "A.")).toThrow("twice");
    expect(() => metrics.gauge("bad-name", "A.")).toThrow("not a metric");
    expect(() => counter.inc(-1)).toThrow("cannot change");
  });

  it("does not grow with labels without end", () => {
    const metrics = createMetrics();
    const counter = metrics.counter("a_total", "A.");
    for (let peer = 0; peer < 5000; peer += 1) counter.inc(1, { peer: String(peer) });
    counter.inc(1, { peer: "0" });
    expect(metrics.render().split("\n").length).toBeLessThan(1010);
    expect(metrics.render()).toContain('a_total{peer="0"} 2');
  });
});
