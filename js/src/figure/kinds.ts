// What a result kind gives to a figure.
import type { Scene } from "../draw/scene";

export interface Drawing {
  title: string;
  /** Definition, sign and normalisation of what is drawn. */
  caption: string;
  drawings: Scene[];
}
