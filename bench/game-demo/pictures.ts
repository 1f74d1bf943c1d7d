/** Pictures of the pages while the game goes on: the players' and the operators'. */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Player, PlayerBrowser } from "./browsers.js";
import { play } from "./play.js";

/** Of a game for the pictures alone: taking them is work, of which nothing that was measured should tell. */
const SECONDS = 3;

/** The operators' page, of which somebody has to look before there is a past to show. */
export async function openDashboard(browser: PlayerBrowser, portal: string): Promise<Player> {
  const operator = await browser.logIn(portal, "operator1", "operator-in-the-lab");
  await operator.page.getByRole("link", { name: "Network" }).click();
  await operator.page.getByText(/^Live/).waitFor();
  return operator;
}

/** @param directory - gets game-session.png and game-dashboard.png */
export async function takePictures(directory: string, players: readonly Player[], dashboard: Player): Promise<void> {
  const played = play(players, SECONDS);
  await sleep(1000);
  await players[0]?.page.screenshot({ path: join(directory, "game-session.png") });
  await played;
  await dashboard.page.screenshot({ path: join(directory, "game-dashboard.png") });
}
