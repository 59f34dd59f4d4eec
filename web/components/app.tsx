import type { VNode } from "preact";
import { Announcer } from "./announcer.tsx";
import { Banner } from "./banner.tsx";
import { CompareControls } from "./compare-controls.tsx";
import { DropZone } from "./drop-zone.tsx";
import { KeyDialog } from "./key-dialog.tsx";
import { LoraSliders } from "./lora-sliders.tsx";
import { ModeSwitch } from "./mode-switch.tsx";
import { MoreControls } from "./more-controls.tsx";
import { OpenButton } from "./open-button.tsx";
import { PictureControls } from "./picture-controls.tsx";
import { PromptBox } from "./prompt-box.tsx";
import { ShelfView } from "./shelf-view.tsx";
import { Stage } from "./stage.tsx";
import { ThemeButton } from "./theme-button.tsx";

/** The page. */
export function App(): VNode {
  return (
    <DropZone>
      <header class="top">
        <h1 aria-label="Fourstep">
          <Logo />
          <span class="name">Fourstep</span>
        </h1>
        <ModeSwitch />
        <span class="gap" />
        <OpenButton />
        <ThemeButton />
      </header>
      <Banner />
      <main>
        <div class="work">
          <PromptBox />
          <Stage />
        </div>
        <aside class="controls" aria-label="Settings">
          <PictureControls />
          <LoraSliders />
          <CompareControls />
          <MoreControls />
        </aside>
        <ShelfView />
      </main>
      <Announcer />
      <KeyDialog />
    </DropZone>
  );
}

/** Four steps, from the noise to the picture. */
function Logo(): VNode {
  return (
    <svg class="logo" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <rect width="32" height="32" rx="8" />
      <circle cx="8" cy="22" r="2" opacity=".45" />
      <circle cx="13.3" cy="19" r="2.6" opacity=".6" />
      <circle cx="18.4" cy="15" r="3.3" opacity=".8" />
      <circle cx="23.5" cy="9.6" r="4.3" />
    </svg>
  );
}
