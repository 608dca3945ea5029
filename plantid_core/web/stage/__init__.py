"""The failure demo: what breaks the running app's own parts on purpose, and counts who is answered.

`theatre` holds the one stage of the process; `acts` and their `switches` break, `traffic` asks,
`ticker` counts, `script` presses by itself, `rehearsal` runs drills, `system_map` and `board` draw.
"""
