package convtrain.backend.cuda.device;

import static jcuda.driver.JCudaDriver.cuModuleGetFunction;
import static jcuda.driver.JCudaDriver.cuModuleLoadData;
import static jcuda.driver.JCudaDriver.cuModuleUnload;

import convtrain.backend.Owned;
import convtrain.backend.cuda.natives.CacheFolder;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import jcuda.driver.CUfunction;
import jcuda.driver.CUmodule;
import jcuda.driver.CUstream;

/** Our kernels on one device: found, compiled or fetched from the cache, and loaded, each once. */
public final class Kernels implements AutoCloseable {
  private final Owned owned = new Owned();
  private final CUstream stream;
  private final KernelCompiler compiler;
  private final KernelCache cache;
  private final ParameterBlocks blocks;
  private final Map<List<String>, CUmodule> modules = new HashMap<>();
  private int compilations;

  /**
   * @param stream where launches go
   */
  Kernels(CUstream stream, KernelCompiler compiler, CacheFolder folder) {
    this.stream = stream;
    this.compiler = compiler;
    cache = new KernelCache(folder);
    blocks = owned.add(new ParameterBlocks());
  }

  /**
   * A kernel, compiled and loaded if it is not yet.
   *
   * @param file {@code batch_norm} for kernels/batch_norm.cu
   * @param function its name, {@code extern "C"}
   * @param defines of the preprocessor, {@code PRECISION=0}
   */
  public Kernel get(String file, String function, String... defines) {
    List<String> key = new ArrayList<>(List.of(defines));
    key.add(0, file);
    CUmodule module = modules.get(key);
    if (module == null) {
      module = load(KernelSource.find(file), options(defines));
      modules.put(key, module);
    }
    CUfunction found = new CUfunction();
    String name = file + "." + function;
    Status.cuda("cuModuleGetFunction of " + name, cuModuleGetFunction(found, module, function));
    return new Kernel(name, found, stream, blocks);
  }

  private List<String> options(String... defines) {
    List<String> options = new ArrayList<>();
    options.add("--gpu-architecture=" + compiler.architecture());
    options.add("--std=c++17");
    options.add("--generate-line-info");
    for (String define : defines) {
      options.add("-D" + define);
    }
    return options;
  }

  private CUmodule load(KernelSource source, List<String> options) {
    String file = KernelCache.file(source, options, compiler.version());
    Optional<byte[]> kept = cache.read(file);
    byte[] image;
    if (kept.isPresent()) {
      image = kept.get();
    } else {
      image = compiler.compile(source, options);
      compilations++;
      cache.write(file, image);
    }
    CUmodule module = new CUmodule();
    Status.cuda("cuModuleLoadData of kernels/" + source.name(), cuModuleLoadData(module, image));
    owned.add(() -> Status.release(() -> Status.cuda("cuModuleUnload", cuModuleUnload(module))));
    return module;
  }

  /** How many files the compiler was given so far, rather than the cache. */
  int compilations() {
    return compilations;
  }

  @Override
  public void close() {
    modules.clear();
    owned.close();
  }
}
