# Convtrain with CUDA 12.6 and cuDNN 9. Builds without a GPU, runs with one or on the CPU.
#
#   docker build -t convtrain .
#   docker run --rm --gpus all -v convtrain-data:/data -v convtrain-runs:/runs \
#     convtrain train configs/mnist-19k.json

FROM maven:3.9.9-eclipse-temurin-17 AS build
WORKDIR /build
# The libraries in a layer of their own: fetched anew only when the pom changes.
COPY pom.xml .
RUN mvn -q -B -ntp -Dquick dependency:copy-dependencies \
      -DincludeScope=runtime -DoutputDirectory=target/lib
COPY kernels kernels
COPY src/main src/main
RUN mvn -q -B -ntp -Dquick -DskipTests package

FROM nvidia/cuda:12.6.3-cudnn-runtime-ubuntu22.04
# curl brings the data sets; plots are lettered in DejaVu.
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates curl fontconfig fonts-dejavu-core openjdk-17-jre-headless \
 && rm -rf /var/lib/apt/lists/*
COPY --from=build /build/target/lib /opt/convtrain/lib
COPY --from=build /build/target/convtrain.jar /opt/convtrain/convtrain.jar
COPY LICENSE README.md /opt/convtrain/
COPY configs /opt/convtrain/configs
COPY kernels /opt/convtrain/kernels
COPY scripts/convtrain scripts/fetch-data /opt/convtrain/scripts/
# Run files name data/ and runs/ relative to the working directory: both lead to the volumes.
RUN useradd --create-home --uid 10001 convtrain \
 && mkdir /data /runs \
 && chown convtrain:convtrain /data /runs \
 && ln -s /data /opt/convtrain/data \
 && ln -s /runs /opt/convtrain/runs \
 && ln -s /opt/convtrain/scripts/convtrain /usr/local/bin/convtrain
# Compiled kernels and the choice of algorithms outlive the container, as the runs do.
ENV CONVTRAIN_CACHE=/runs/.cache
VOLUME ["/data", "/runs"]
USER convtrain
WORKDIR /opt/convtrain
ENTRYPOINT ["convtrain"]
CMD ["--help"]
