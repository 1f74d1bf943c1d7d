/** What WebRTC's statistics say of a call: the few figures that people understand. Pure. */

/** Times in ms, loss 0 to 1, rates in bit/s above RTP. */
export interface CallFigures {
  readonly roundTrip?: number;
  readonly jitter?: number;
  readonly loss?: number;
  readonly rateIn?: number;
  readonly rateOut?: number;
}

/** The counters that rates and loss are made of. */
export interface CallCounters {
  readonly at: number;
  readonly octetsIn: number;
  readonly octetsOut: number;
  readonly packetsIn: number;
  readonly packetsLost: number;
}

interface Report {
  readonly type: string;
  readonly [name: string]: unknown;
}

const numberOf = (report: Report, name: string): number => {
  const value = report[name];
  return typeof value === "number" && Number.isFinite(value) ? value : 0;
};

/** Of all streams together. @param at - ms, of a clock that never jumps */
export function countersOf(reports: Iterable<Report>, at: number): CallCounters {
  let [octetsIn, octetsOut, packetsIn, packetsLost] = [0, 0, 0, 0];
  for (const report of reports) {
    if (report.type === "inbound-rtp") {
      octetsIn += numberOf(report, "bytesReceived");
      packetsIn += numberOf(report, "packetsReceived");
      packetsLost += numberOf(report, "packetsLost");
    }
    if (report.type === "outbound-rtp") octetsOut += numberOf(report, "bytesSent");
  }
  return { at, octetsIn, octetsOut, packetsIn, packetsLost };
}

/** Since `before`; what cannot be said is left out. */
export function figuresOf(reports: Iterable<Report>, now: CallCounters, before: CallCounters | undefined): CallFigures {
  let figures: CallFigures = {};
  for (const report of reports) {
    const roundTrip = report.currentRoundTripTime;
    if (report.type === "candidate-pair" && report.nominated === true && typeof roundTrip === "number") {
      figures = { ...figures, roundTrip: roundTrip * 1000 };
    }
    if (report.type === "inbound-rtp") {
      figures = { ...figures, jitter: Math.max(figures.jitter ?? 0, numberOf(report, "jitter") * 1000) };
    }
  }
  if (before === undefined || now.at <= before.at) return figures;
  const seconds = (now.at - before.at) / 1000;
  const received = now.packetsIn - before.packetsIn;
  const lost = Math.max(0, now.packetsLost - before.packetsLost);
  return {
    ...figures,
    ...(received + lost > 0 ? { loss: lost / (received + lost) } : {}),
    rateIn: Math.max(0, (8 * (now.octetsIn - before.octetsIn)) / seconds),
    rateOut: Math.max(0, (8 * (now.octetsOut - before.octetsOut)) / seconds),
  };
}
