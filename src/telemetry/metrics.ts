/** Counters and gauges, written in the Prometheus text format. Names carry their unit. */
import { InternalError } from "../model/errors.js";

export type Labels = Readonly<Record<string, string>>;

export interface CounterMetric {
  /** Adds `by`, 1 if left out; never negative. */
  inc(by?: number, labels?: Labels): void;
}

export interface GaugeMetric {
  set(value: number, labels?: Labels): void;
}

/** One sample of a gauge that is read when it is asked for. */
export interface Sample {
  readonly value: number;
  readonly labels?: Labels;
}

export interface Metrics {
  counter(name: string, help: string): CounterMetric;
  gauge(name: string, help: string): GaugeMetric;
  /** A gauge whose samples are taken at the time of rendering. */
  observe(name: string, help: string, read: () => readonly Sample[]): void;
  /** Prometheus text exposition format 0.0.4. */
  render(): string;
}

/** Label sets of one metric; past it samples are dropped, since labels must not follow what peers send. */
const SERIES_MAX = 1000;

interface Family {
  readonly type: "counter" | "gauge";
  readonly help: string;
  readonly samples: () => readonly Sample[];
}

export function createMetrics(): Metrics {
  const families = new Map<string, Family>();
  const add = (name: string, family: Family): void => {
    if (!/^[a-z][a-z0-9_]*$/.test(name)) throw new InternalError("METRIC_NAME", `not a metric's name: ${name}`);
    if (families.has(name)) throw new InternalError("METRIC_NAME", `metric ${name} is registered twice`);
    families.set(name, family);
  };
  return {
    counter(name, help) {
      const series = new Map<string, Sample>();
      add(name, { type: "counter", help, samples: () => [...series.values()] });
      return {
        inc(by = 1, labels) {
          if (!(by >= 0)) throw new InternalError("METRIC_VALUE", `counter ${name} cannot change by ${by}`);
          put(series, (series.get(labelText(labels))?.value ?? 0) + by, labels);
        },
      };
    },
    gauge(name, help) {
      const series = new Map<string, Sample>();
      add(name, { type: "gauge", help, samples: () => [...series.values()] });
      return { set: (value, labels) => put(series, value, labels) };
    },
    observe: (name, help, read) => add(name, { type: "gauge", help, samples: read }),
    render: () => [...families].map(([name, family]) => renderFamily(name, family)).join(""),
  };
}

function put(series: Map<string, Sample>, value: number, labels: Labels | undefined): void {
  const key = labelText(labels);
  if (!series.has(key) && series.size >= SERIES_MAX) return;
  series.set(key, labels === undefined ? { value } : { value, labels });
}

function renderFamily(name: string, { type, help, samples }: Family): string {
  const lines = samples().map(({ value, labels }) => `${name}${labelText(labels)} ${numberText(value)}\n`);
  return `# HELP ${name} ${help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n")}\n# TYPE ${name} ${type}\n${lines.join("")}`;
}

function numberText(value: number): string {
  if (Number.isFinite(value)) return String(value);
  return Number.isNaN(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf";
}

function labelText(labels: Labels | undefined): string {
  const entries = Object.entries(labels ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  if (entries.length === 0) return "";
  const escaped = (text: string) => text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
  return `{${entries.map(([name, value]) => `${name}="${escaped(value)}"`).join(",")}}`;
}
