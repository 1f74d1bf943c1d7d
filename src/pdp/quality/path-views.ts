/** Measured paths as operators see them. */
import type { QualityView } from "../../control/quality-views.js";
import type { MeasuredDirection } from "./path-qualities.js";

/** Times that no packet would have are left out: JSON has no infinity. */
export const pathViews = (measured: readonly MeasuredDirection[]): readonly QualityView[] =>
  measured.map(({ quality, ...rest }) => {
    if (quality === undefined) return rest;
    const { latency, jitter, loss } = quality;
    return { ...rest, loss, ...(Number.isFinite(latency) ? { latency, jitter } : {}) };
  });
