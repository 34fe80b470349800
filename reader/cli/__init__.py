"""The command line: `flask --app reader cache ...`.

It looks at Redis as the status page does, and like a reader it does nothing itself: what is to be
refreshed or forgotten is asked of the refreshers, and waited for.

    commands (what there is to say) ─> desk (Redis, and who asks) ─> waiting, warming (until done)
                                    └> doctor (gathers) ─> checks (what is wrong: pure)
                                    └> printing (tables for people, JSON for programs)
"""
