/** Sliders for what a session needs: what is wanted, and how far it may go. */
import { el } from "../dom/element.js";
import type { Choice } from "../quality/answer.js";
import { mediumName } from "../quality/describe.js";
import {
  isStricter,
  type MediumKind,
  type MediumQuality,
  type NeedRange,
  type Needs,
  PARAMETERS,
  type Parameter,
  type SessionQuality,
} from "../quality/needs.js";
import { limitsOf, type SliderLimits } from "../quality/presets.js";

export interface NeedEditor {
  readonly element: HTMLElement;
  /** What the sliders say; both directions alike. */
  read(): SessionQuality;
}

export interface ChoiceEditor {
  readonly element: HTMLElement;
  read(): Partial<Record<MediumKind, Choice>>;
}

interface Slider {
  readonly row: HTMLElement;
  readonly input: HTMLInputElement;
  read(): number;
  write(value: number): void;
}

let nextId = 0;

/** For an offer: two sliders a parameter. The worst is never stricter than what is wanted. */
export function createNeedEditor(quality: SessionQuality): NeedEditor {
  const media = entriesOf(quality).map(([kind, medium]) => {
    const needs = medium.send ?? medium.recv ?? {};
    const rows = PARAMETERS.flatMap((name) => {
      const range = needs[name];
      return range === undefined ? [] : [rangeSliders(kind, name, range)];
    });
    const element = el("fieldset", {}, el("legend", {}, mediumName(kind)), ...rows.map(({ element }) => element));
    const read = (): MediumQuality => {
      const read: Needs = Object.fromEntries(rows.map((row) => [row.name, row.read()]));
      return { ...medium, send: read, recv: read };
    };
    return { kind, element, read };
  });
  return {
    element: el("div", { class: "needs" }, ...media.map(({ element }) => element)),
    read: () => Object.fromEntries(media.map(({ kind, read }) => [kind, read()])),
  };
}

/** For an answer: one slider a parameter, which goes no further than the worst that was offered. */
export function createChoiceEditor(offered: SessionQuality): ChoiceEditor {
  const media = entriesOf(offered).map(([kind, medium]) => {
    const needs = medium.recv ?? medium.send ?? {};
    const sliders = PARAMETERS.flatMap((name) => {
      const range = needs[name];
      return range === undefined ? [] : [{ name, range, slider: choiceSlider(kind, name, range) }];
    });
    return { kind, sliders };
  });
  const sets = media.map(({ kind, sliders }) =>
    el("fieldset", {}, el("legend", {}, mediumName(kind)), ...sliders.map(({ slider }) => slider.row)),
  );
  const choiceOf = ({ sliders }: (typeof media)[number]): Choice =>
    Object.fromEntries(
      sliders.flatMap(({ name, range, slider }) => (slider.read() === range.wanted ? [] : [[name, slider.read()]])),
    );
  return {
    element: el("div", { class: "needs" }, ...sets),
    read: () => Object.fromEntries(media.map((medium) => [medium.kind, choiceOf(medium)])),
  };
}

const entriesOf = (quality: SessionQuality): readonly (readonly [MediumKind, MediumQuality])[] =>
  Object.entries(quality).map(([kind, medium]) => [kind as MediumKind, medium]);

function rangeSliders(kind: MediumKind, name: Parameter, range: NeedRange) {
  const limits = widened(limitsOf(kind, name), [range.wanted, range.worst]);
  const wanted = createSlider(`${limits.label}: wanted`, range.wanted, limits);
  const worst = createSlider(`${limits.label}: at worst`, range.worst, limits);
  wanted.input.addEventListener("input", () => {
    if (isStricter(name, worst.read(), wanted.read())) worst.write(wanted.read());
  });
  worst.input.addEventListener("input", () => {
    if (isStricter(name, worst.read(), wanted.read())) wanted.write(worst.read());
  });
  return {
    name,
    element: el("div", { class: "pair" }, wanted.row, worst.row),
    read: (): NeedRange => ({ wanted: wanted.read(), worst: worst.read() }),
  };
}

function choiceSlider(kind: MediumKind, name: Parameter, range: NeedRange): Slider {
  const limits = widened(limitsOf(kind, name), [range.wanted, range.worst]);
  const worst = range.worst / limits.scale;
  const bounded = name === "rate" ? { ...limits, min: worst } : { ...limits, max: worst };
  return createSlider(limits.label, range.wanted, bounded);
}

/** So that what is there now has its place on the slider. */
function widened(limits: SliderLimits, values: readonly number[]): SliderLimits {
  const scaled = values.map((value) => value / limits.scale);
  return { ...limits, min: Math.min(limits.min, ...scaled), max: Math.max(limits.max, ...scaled) };
}

/** A slider whose value is kept as it was put there until somebody moves it: steps are for hands, not for what was agreed. */
function createSlider(label: string, first: number, { min, max, step, scale, unit }: SliderLimits): Slider {
  const id = `need-${nextId}`;
  nextId += 1;
  let value = first;
  const text = (): string => `${Math.round((value / scale) * 100) / 100} ${unit}`;
  const output = el("output", { for: id }, text());
  const input = el("input", { type: "range", id, min, max, step, value: first / scale, "aria-valuetext": text() });
  const show = (): void => {
    output.textContent = text();
    input.setAttribute("aria-valuetext", text());
  };
  input.addEventListener("input", () => {
    value = Math.round(input.valueAsNumber * scale * 1e8) / 1e8;
    show();
  });
  return {
    row: el("div", { class: "slider" }, el("label", { for: id }, label), input, output),
    input,
    read: () => value,
    write: (next) => {
      value = next;
      input.value = String(next / scale);
      show();
    },
  };
}
