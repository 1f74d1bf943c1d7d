/** Draws the field, in the colours of the page. */
import { BALL_RADIUS, FIELD, type GameState, PADDLE } from "./simulation.js";

const POINT = 256;

export interface FieldColours {
  readonly ground: string;
  readonly line: string;
  readonly own: string;
  readonly other: string;
}

/** From the page's own properties, so that light and dark both fit. */
export function coloursOf(element: Element): FieldColours {
  const style = getComputedStyle(element);
  const colour = (name: string): string => style.getPropertyValue(name).trim();
  return { ground: colour("--field"), line: colour("--edge"), own: colour("--assured"), other: colour("--text") };
}

/** The whole field anew. @param isLeft - the own paddle is the left one */
export function draw(
  context: CanvasRenderingContext2D,
  state: GameState,
  isLeft: boolean,
  colours: FieldColours,
): void {
  const { width, height } = context.canvas;
  const scale = width / (FIELD.width / POINT);
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.fillStyle = colours.ground;
  context.fillRect(0, 0, width, height);
  context.setTransform(scale / POINT, 0, 0, scale / POINT, 0, 0);
  context.fillStyle = colours.line;
  for (let y = 0; y < FIELD.height; y += 24 * POINT)
    context.fillRect(FIELD.width / 2 - POINT, y, 2 * POINT, 12 * POINT);
  paddle(context, PADDLE.inset, state.left, isLeft ? colours.own : colours.other);
  paddle(context, FIELD.width - PADDLE.inset - PADDLE.width, state.right, isLeft ? colours.other : colours.own);
  context.fillStyle = colours.other;
  context.beginPath();
  context.arc(state.ball.x, state.ball.y, BALL_RADIUS, 0, 2 * Math.PI);
  context.fill();
  context.font = `${40 * POINT}px system-ui, sans-serif`;
  context.textAlign = "center";
  context.fillText(String(state.scoreLeft), FIELD.width / 2 - 50 * POINT, 52 * POINT);
  context.fillText(String(state.scoreRight), FIELD.width / 2 + 50 * POINT, 52 * POINT);
}

function paddle(context: CanvasRenderingContext2D, x: number, centre: number, colour: string): void {
  context.fillStyle = colour;
  context.fillRect(x, centre - PADDLE.height / 2, PADDLE.width, PADDLE.height);
}
