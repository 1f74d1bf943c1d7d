/** Where the sliders start: what each class of session needs, and how far each may go. */
import type { ClassOffer } from "../api/types.js";
import { bothWays, type MediumKind, type Needs, type Parameter, type SessionQuality } from "./needs.js";

/** What one asks somebody for. */
export type Activity = "game-fps" | "game-rts" | "audio" | "video";

export interface ActivityPlan {
  readonly label: string;
  /** What its media name as their class. */
  readonly sessionClass: string;
  readonly media: Partial<Readonly<Record<MediumKind, Needs>>>;
  readonly isGame: boolean;
}

const need = (latency: Pair, jitter: Pair, loss: Pair, rate: Pair): Needs => ({
  latency: range(latency),
  jitter: range(jitter),
  loss: range(loss),
  rate: range(rate),
});

type Pair = readonly [wanted: number, worst: number];
const range = ([wanted, worst]: Pair) => ({ wanted, worst });

/** Opus at 32 kbit/s in packets of 20 ms takes 80 kbit/s at layer 3 with SRTP, RTCP and checks of connectivity beside it. */
const VOICE = need([100, 200], [20, 40], [0.01, 0.03], [96, 64]);

const PLANS: Readonly<Record<Activity, ActivityPlan>> = {
  // A state packet is 104 octets, 197 at layer 3; 60 a second and their acknowledgements take about 140 kbit/s.
  "game-fps": {
    label: "Fast game",
    sessionClass: "game-fps",
    media: { application: need([40, 80], [15, 30], [0.005, 0.02], [160, 80]) },
    isGame: true,
  },
  "game-rts": {
    label: "Slow game",
    sessionClass: "game-rts",
    media: { application: need([100, 250], [30, 80], [0.01, 0.05], [64, 32]) },
    isGame: true,
  },
  audio: { label: "Audio call", sessionClass: "conversational", media: { audio: VOICE }, isGame: false },
  video: {
    label: "Video call",
    sessionClass: "conversational",
    media: { audio: VOICE, video: need([150, 250], [30, 60], [0.005, 0.02], [1500, 500]) },
    isGame: false,
  },
};

export const ACTIVITIES = Object.keys(PLANS) as readonly Activity[];
/** What an activity is made of. */
export const planOf = (activity: Activity): ActivityPlan => PLANS[activity];

export interface SliderLimits {
  readonly min: number;
  readonly max: number;
  readonly step: number;
  readonly unit: string;
  readonly label: string;
  /** What one unit on the slider is in the unit of the need. */
  readonly scale: number;
}

const LIMITS: Readonly<Record<Exclude<Parameter, "rate">, SliderLimits>> = {
  latency: { label: "Latency, one way", min: 5, max: 400, step: 5, unit: "ms", scale: 1 },
  jitter: { label: "Jitter", min: 1, max: 100, step: 1, unit: "ms", scale: 1 },
  loss: { label: "Loss", min: 0, max: 10, step: 0.1, unit: "%", scale: 0.01 },
};

const RATE_LIMITS: Readonly<Record<MediumKind, SliderLimits>> = {
  application: { label: "Rate", min: 16, max: 512, step: 8, unit: "kbit/s", scale: 1 },
  audio: { label: "Rate", min: 32, max: 256, step: 8, unit: "kbit/s", scale: 1 },
  video: { label: "Rate", min: 200, max: 4000, step: 50, unit: "kbit/s", scale: 1 },
};

/** How far a slider goes. */
export const limitsOf = (kind: MediumKind, parameter: Parameter): SliderLimits =>
  parameter === "rate" ? RATE_LIMITS[kind] : LIMITS[parameter];

/** What an activity asks for to begin with; the class's own budget, where the provider tells it, is what is wanted. */
export function presetOf(activity: Activity, classes: readonly ClassOffer[]): SessionQuality {
  const { media, sessionClass } = planOf(activity);
  const budget = classes.find(({ name }) => name === sessionClass);
  const entries = Object.entries(media).map(([kind, needs]) => {
    return [kind, bothWays(withBudget(needs, budget), { sessionClass, security: "dtls" })] as const;
  });
  return Object.fromEntries(entries);
}

function withBudget(needs: Needs, budget: ClassOffer | undefined): Needs {
  const take = (parameter: "latency" | "jitter" | "loss"): Needs => {
    const told = budget?.[parameter];
    const own = needs[parameter];
    if (told === undefined || own === undefined) return {};
    return { [parameter]: { wanted: told, worst: Math.max(told, own.worst) } };
  };
  return { ...needs, ...take("latency"), ...take("jitter"), ...take("loss") };
}
